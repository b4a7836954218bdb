// The symbolic part of edge flow: worked out once per network, run by every pixel.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include <lopsar/operators/network.hpp>

namespace lopsar {

// What fills dates that no data tie to the reference.
//   none                    nothing: NaN and Status::rank_deficient
//   minimum_norm_velocity   minimum of sum_j ((x_j - x_(j-1)) / (t_j - t_(j-1)))^2, MintPy's default
//   minimum_norm_phase      minimum of sum_j (x_j - x_norm)^2 against the norm date (MintPy's --min-norm-phase)
enum class NullSpace { none, minimum_norm_velocity, minimum_norm_phase };

namespace detail {
struct EdgeFlowSymbolic;
}

// Elimination order and list of operations for a network. Immutable and cheap to copy.
class EdgeFlow {
 public:
  // root: the date whose phase is 0; norm_date: the date that minimum_norm_phase measures against (indices into dates()). priors: further edges,
  // with data and weights of their own, that are no observations: they take part in the solution and the rank, not in the residual.
  EdgeFlow(const Network& network, NullSpace null_space, std::size_t root, std::size_t norm_date, const std::vector<Network::Pair>& priors = {});
  EdgeFlow(const Network& network, NullSpace null_space, const std::vector<Network::Pair>& priors = {})
      : EdgeFlow(network, null_space, network.reference(), network.reference(), priors) {}

  NullSpace null_space() const { return null_space_; }
  std::size_t max_degree() const;                 // largest number of neighbors at elimination
  std::size_t pair_updates() const;               // updates of neighbor pairs: the cost of a pixel is about 5 of them + 30 per pair
  std::size_t slots() const;                      // edges alive at once
  const std::vector<std::size_t>& order() const;  // dates as eliminated, the reference last

  const detail::EdgeFlowSymbolic& symbolic() const { return *symbolic_; }

 private:
  NullSpace null_space_;
  std::shared_ptr<const detail::EdgeFlowSymbolic> symbolic_;
};

}  // namespace lopsar
