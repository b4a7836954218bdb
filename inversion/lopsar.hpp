// Everything of lopsar.
#pragma once
#include <lopsar/inversion/baselines.hpp>
#include <lopsar/inversion/invert.hpp>
#include <lopsar/inversion/stack.hpp>
#include <lopsar/inversion/time_series.hpp>
#include <lopsar/inversion/weights.hpp>
#include <lopsar/operators/algebra.hpp>
#include <lopsar/operators/cumulative_sum.hpp>
#include <lopsar/operators/datum.hpp>
#include <lopsar/operators/dem_error.hpp>
#include <lopsar/operators/diagonal.hpp>
#include <lopsar/operators/difference.hpp>
#include <lopsar/operators/network.hpp>
#include <lopsar/operators/pattern.hpp>
#include <lopsar/operators/restriction.hpp>
#include <lopsar/operators/time_model.hpp>
#include <lopsar/solvers/solve.hpp>
