// Weights of interferometric phase from coherence, as MintPy defines them.
#pragma once
#include <string_view>
#include <vector>

namespace lopsar {

// Inverse variance w of the phase at coherence g, L looks (NaN coherence counts as 0, g >= 0.05 throughout):
//   variance     1 / variance of the phase distribution of distributed scatterers (phase_variance), looked up in 200 bins
//   fisher       2 L g^2 / (1 - g^2), g <= 0.999 (Fisher information; Seymour and Cumming 1994)
//   coherence    g
//   none         1
enum class WeightFunction { variance, fisher, coherence, none };

// "var" | "fim" | "coh" | "no" (also "sbas", "none"). InvalidArgument otherwise.
WeightFunction weight_function(std::string_view name);

// Variance (rad^2) of multilook interferometric phase: integral over (-pi, pi] of phi^2 pdf(phi; coherence, looks), with
//   pdf = (1-g^2)^L/(2 pi) { G(2L-1)/(G(L)^2 2^(2L-2)) [(2L-1) b (pi/2 + asin b) / (1-b^2)^(L+1/2) + 1/(1-b^2)^L]
//         + 1/(2L-2) sum_{r=0}^{L-2} G(L-1/2)/G(L-1/2-r) G(L-1-r)/G(L-1) (1 + (2r+1) b^2)/(1-b^2)^(r+2) },  b = g cos(phi),
// (Tough et al. 1995; Hanssen 2001, eq. 4.2.23), integrated with MintPy's 200 samples -pi .. pi inclusive of step 2 pi/200, so that
// weights equal MintPy's. looks 1..80.
double phase_variance(double coherence, int looks);

// Number of bins of the variance table: bin i has coherence 0.0025 + 0.005 i.
inline constexpr int variance_bins = 200;

// phase_variance at the bins; values <= 0 become the smallest positive one. looks beyond 80 count as 80, as in MintPy.
std::vector<double> variance_table(int looks);

// Weights for a vector of coherences in float64, by the definitions above.
std::vector<double> coherence_to_weight(const std::vector<double>& coherence, WeightFunction function, int looks);

}  // namespace lopsar
