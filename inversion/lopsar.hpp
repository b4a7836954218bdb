// Everything of lopsar.
#pragma once
#include <lopsar/inversion/invert.hpp>
#include <lopsar/inversion/stack.hpp>
#include <lopsar/inversion/time_series.hpp>
#include <lopsar/inversion/weights.hpp>
#include <lopsar/operators/algebra.hpp>
#include <lopsar/operators/network.hpp>
#include <lopsar/operators/pattern.hpp>
#include <lopsar/solvers/solve.hpp>
