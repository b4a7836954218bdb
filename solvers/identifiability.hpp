// What a model cannot tell apart, found before anything is solved.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include <lopsar/operators/algebra.hpp>

namespace lopsar {

// Unknowns that trade off: some change of all of them together changes nothing that is observed.
struct TradeOff {
  std::vector<std::size_t> columns;  // sorted; one alone: it is in no row
  std::size_t freedom = 1;           // how many of them something else must determine
};

struct Identifiability {
  bool checked = true;  // false: too large to be checked (more than 400 columns, or rows x columns^2 beyond 1e9)
  std::size_t rank = 0;
  std::vector<TradeOff> groups;  // empty: every unknown is determined where nothing is missing
};

// The structural null space of a pixelwise model and its priors: with unit weights, complete data, and fields (geometry, weights) of a generic pixel.
//
// Columns are brought to unit length and decomposed by rank-revealing QR in float64 (|r_jj| <= 1e-10 |r_11| is zero); the unknowns of a null vector
// are those that it moves by more than 1e-8. Where fields are involved there are two draws of a pixel, and the one of higher rank counts. An hstack
// of a network with anything on its dates is found exactly. InvalidArgument for scene and complex operators; ShapeError for a prior with other
// columns.
Identifiability identifiability(const LinearOperator& model, const std::vector<LinearOperator>& priors = {});

// One sentence for each group, with the names of parameters() where the model has them (`names` if given), and the remedies that fit the model; empty
// where there is nothing to say.
std::string describe(const Identifiability& found, const LinearOperator& model, std::vector<std::string> names = {});

}  // namespace lopsar
