#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

#include <lopsar/operators/algebra.hpp>

namespace lopsar {
namespace {

using Kind = Formula::Kind;

std::string number(std::complex<double> c) {
  char text[64];
  if (c.imag() == 0) std::snprintf(text, sizeof text, "%.6g", c.real());
  else std::snprintf(text, sizeof text, "(%.6g%+.6gi)", c.real(), c.imag());
  return text;
}

std::string list(const std::vector<std::size_t>& dims, const char* between) {
  std::string text;
  for (const auto d : dims) text += (text.empty() ? "" : between) + std::to_string(d);
  return text;
}

// A name inside \\text{} of LaTeX.
std::string escaped(const std::string& name) {
  std::string text;
  for (const char c : name) text += std::string_view("_#$%&{}").find(c) == std::string_view::npos ? std::string(1, c) : std::string("\\") + c;
  return text;
}

// Writes the formula; every operator that is not made of others gets a letter.
class Writer {
 public:
  explicit Writer(bool latex) : latex_(latex) {}

  // Sums bind least (0), then Kronecker products (1), products (2), what is written behind an operator (3), and single signs (4). What binds less
  // than `binding` gets brackets.
  std::string write(const LinearOperator& op, int binding = 0) {
    const Formula f = formula(op);
    std::vector<std::string> parts;
    int inside = 0;
    if (f.kind == Kind::sum) inside = 2;
    if (f.kind == Kind::product || f.kind == Kind::kronecker) inside = 3;
    if (f.kind == Kind::adjoint || f.kind == Kind::transpose || f.kind == Kind::power || f.kind == Kind::over) inside = 4;
    if (f.kind != Kind::leaf)
      for (const auto& o : f.operands) parts.push_back(write(o, inside));
    const auto joined = [&](const std::string& between) {
      std::string text;
      for (const auto& p : parts) text += (text.empty() ? "" : between) + p;
      return text;
    };
    const auto bracketed = [&](const std::string& text, int own) {
      if (own >= binding) return text;
      return latex_ ? "\\left(" + text + "\\right)" : "(" + text + ")";
    };
    const std::string dot = latex_ ? "\\," : " ";
    const auto factor = [&](std::complex<double> c) { return c == 1.0 ? "" : c == -1.0 ? "-" : number(c) + dot; };
    const auto matrix = [&](const char* text_between, const char* latex_between) {
      return latex_ ? "\\begin{bmatrix}" + joined(latex_between) + "\\end{bmatrix}" : "[" + joined(text_between) + "]";
    };
    switch (f.kind) {
      case Kind::leaf: return letter(op);
      case Kind::product: return bracketed(factor(f.factors.front()) + joined(dot), 2);
      case Kind::sum: {
        std::string text;
        for (std::size_t i = 0; i < parts.size(); ++i) {
          const bool minus = f.factors[i].imag() == 0 && f.factors[i].real() < 0;
          std::string term = factor(i > 0 && minus ? -f.factors[i] : f.factors[i]) + parts[i];
          bool subtracted = i > 0 && minus;
          if (i > 0 && term.front() == '-') {  // a product with a negative number before it
            subtracted = !subtracted;
            term.erase(0, 1);
          }
          text += (i == 0 ? "" : subtracted ? " - " : " + ") + term;
        }
        return bracketed(text, f.operands.size() == 1 ? 2 : 0);
      }
      case Kind::adjoint: return bracketed(parts[0] + "^H", 3);
      case Kind::transpose: return bracketed(parts[0] + "^T", 3);
      case Kind::conjugate: return latex_ ? "\\overline{" + parts[0] + "}" : "conj(" + parts[0] + ")";
      case Kind::power: return bracketed(parts[0] + (latex_ ? "^{" + std::to_string(f.exponent) + "}" : "^" + std::to_string(f.exponent)), 3);
      case Kind::vstack: return matrix("; ", " \\\\ ");
      case Kind::hstack: return matrix(" | ", " & ");
      case Kind::block_diag: return latex_ ? "\\operatorname{diag}\\left(" + joined(", ") + "\\right)" : "diag(" + joined(", ") + ")";
      case Kind::kronecker: return bracketed(joined(latex_ ? " \\otimes " : " (x) "), 1);
      case Kind::over: return bracketed(parts[0] + (latex_ ? "^{(" + list(f.grid, "\\times ") + ")}" : ".over(" + list(f.grid, ", ") + ")"), 3);
    }
    return {};
  }

  const std::vector<LinearOperator>& leaves() const { return leaves_; }

  std::string letter(const LinearOperator& op) {
    auto at = std::find(leaves_.begin(), leaves_.end(), op);
    if (at == leaves_.end()) at = leaves_.insert(leaves_.end(), op);
    const auto i = static_cast<std::size_t>(at - leaves_.begin());
    const std::string name =
        std::string(1, static_cast<char>('A' + i % 26)) + (i < 26 ? "" : (latex_ ? "_{" : "") + std::to_string(i / 26) + (latex_ ? "}" : ""));
    return latex_ ? "\\mathbf{" + name + "}" : name;
  }

 private:
  bool latex_;
  std::vector<LinearOperator> leaves_;
};

std::string size_of(const LinearOperator& op, bool latex) {
  const auto one = [&](const Dims& dims) { return dims.size() == 1 ? std::to_string(dims[0]) : "(" + list(dims, latex ? "\\times " : " x ") + ")"; };
  return one(op.dimsd()) + (latex ? " \\times " : " x ") + one(op.dims());
}

}  // namespace

std::string describe(const LinearOperator& op, bool latex) {
  Writer writer(latex);
  const std::string expression = writer.write(op);
  std::string text;
  if (latex) {
    text = "\\underbrace{" + expression + "}_{" + size_of(op, true) + "}";
    for (const auto& leaf : writer.leaves())
      text += "\n\\quad " + writer.letter(leaf) + ":\\ \\text{" + escaped(leaf.name()) + "}\\ " + size_of(leaf, true);
  } else {
    std::size_t width = 0;
    for (const auto& leaf : writer.leaves()) width = std::max(width, leaf.name().size());
    text = expression + "    " + size_of(op, false) + (op.pixelwise() ? " at every pixel" : "") +
           (op.pixels() ? ", fields of " + std::to_string(op.pixels()) + " pixels" : "");
    for (const auto& leaf : writer.leaves())
      text += "\n  " + writer.letter(leaf) + "  " + leaf.name() + std::string(width - leaf.name().size() + 2, ' ') + size_of(leaf, false) +
              (leaf.pixels() ? ", fields of " + std::to_string(leaf.pixels()) + " pixels" : "");
  }
  const auto parameters = op.parameters();
  if (parameters.empty()) return text;
  text += latex ? "\n\\quad \\text{unknowns: " : "\n  unknowns: ";
  constexpr std::size_t most = 24;
  for (std::size_t i = 0; i < std::min(parameters.size(), most); ++i)
    text += (i ? ", " : "") + (latex ? escaped(parameters[i].name) : parameters[i].name) +
            (parameters[i].unit.empty() ? "" : " [" + parameters[i].unit + "]");
  if (parameters.size() > most) text += ", ... (" + std::to_string(parameters.size()) + ")";
  return text + (latex ? "}" : "");
}

}  // namespace lopsar
