#include <lopsar/operators/cpu/stencil_program.hpp>

#include <algorithm>

#include <lopsar/operators/cpu/pixel_loop.hpp>
#include <lopsar/operators/cpu/stencil.hpp>

namespace lopsar::cpu {
namespace {

bool is_backward(const AxisMatrix& matrix, const TapRun& run) {
  return std::any_of(matrix.taps.begin() + static_cast<std::ptrdiff_t>(run.first), matrix.taps.begin() + static_cast<std::ptrdiff_t>(run.last),
                     [](const Tap& tap) { return tap.backward; });
}

std::vector<Segment> segments(const AxisMatrix& matrix, bool alone) {
  const auto short_run = [](const TapRun& run) { return run.to - run.from < 8; };
  const bool many = std::count_if(matrix.runs.begin(), matrix.runs.end(), short_run) > 32;
  std::vector<Segment> result;
  for (std::size_t r = 0; r < matrix.runs.size(); ++r) {
    const TapRun& run = matrix.runs[r];
    const bool backward = is_backward(matrix, run);
    const bool gather = backward || (alone && short_run(run) && (many || run.last - run.first > 32));
    if (gather && !result.empty() && result.back().gather) result.back().to = run.to;
    else result.push_back({r, run.from, run.to, gather});
  }
  return result;
}

const TapRun& run_of(const AxisMatrix& matrix, std::size_t row) {
  return *(std::upper_bound(matrix.runs.begin(), matrix.runs.end(), row, [](std::size_t r, const TapRun& run) { return r < run.from; }) - 1);
}

constexpr std::size_t wide = 256;        // right-hand sides and trailing axes from which a row is long enough without the axis before them
constexpr std::size_t chunk_max = 8192;  // values of a part of a row: the parts above and below lie in the second-level cache
constexpr std::size_t to_memory = std::size_t(8) << 20;  // bytes of a result that is not in the cache any more when it is read again

// Axes that no term acts on are one axis with the one before them that none acts on either.
void merge_axes(Dims& in, Dims& out, std::vector<AxisTerm>& terms) {
  const auto free = [&](std::size_t a) { return std::none_of(terms.begin(), terms.end(), [&](const auto& term) { return term.axis == a; }); };
  for (std::size_t a = in.size(); a-- > 1;) {
    if (!free(a) || !free(a - 1)) continue;
    in[a - 1] *= in[a];
    out[a - 1] *= out[a];
    in.erase(in.begin() + static_cast<std::ptrdiff_t>(a));
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(a));
    for (auto& term : terms) term.axis -= term.axis > a ? 1 : 0;
  }
}

}  // namespace

StencilProgram::StencilProgram(Dims in_grid, Dims out_grid, std::size_t n_inputs, std::size_t n_outputs, std::vector<Term> all)
    : in(std::move(in_grid)), out(std::move(out_grid)), inputs(n_inputs), outputs(n_outputs), terms(std::move(all)) {
  merge_axes(in, out, terms);
  std::stable_sort(terms.begin(), terms.end(),
                   [](const Term& a, const Term& b) { return a.output != b.output ? a.output < b.output : a.axis < b.axis; });
  for (const Term& term : terms) axis = std::max(axis, term.axis);
  part.assign(outputs + 1, 0);
  for (const Term& term : terms) ++part[term.output + 1];
  for (std::size_t o = 0; o < outputs; ++o) part[o + 1] += part[o];
  for (std::size_t o = 0; o < outputs; ++o) {
    const bool here = part[o] < part[o + 1] && terms[part[o + 1] - 1].axis == axis;
    last_axis.push_back(here ? segments(terms[part[o + 1] - 1].matrix, part[o + 1] - part[o] == 1) : std::vector<Segment>{{0, 0, out[axis], false}});
    bool same = part[o + 1] - part[o] > 1;
    for (std::size_t t = part[o]; t < part[o + 1]; ++t) same = same && terms[t].input == terms[part[o]].input;
    merged.push_back(same);
    gathers = gathers || std::any_of(last_axis[o].begin(), last_axis[o].end(), [](const Segment& s) { return s.gather; });
  }
}

std::shared_ptr<const StencilProgram> StencilProgram::transposed() const {
  std::vector<Term> swapped;
  for (const Term& term : terms) swapped.push_back({term.input, term.output, term.axis, term.matrix.transposed()});
  return std::make_shared<const StencilProgram>(out, in, outputs, inputs, std::move(swapped));
}

// The grid is cut into rows: the last axis of the terms with all that follows it, or only what follows it where that is long. Long rows are done
// in chunks, short ones in groups; tasks are neighboring rows, so that a row of x that several rows of y need is still in the cache.
template <class T>
void StencilProgram::run(const T* x, T* y, std::size_t k, int threads) const {
  const auto& kernels = stencil_kernels<T>(lanes::active_level());
  const std::size_t rank = in.size();
  std::size_t inner = k;
  for (std::size_t a = axis + 1; a < rank; ++a) inner *= in[a];
  const bool by_rows = inner < wide;  // a row contains the last axis
  const std::size_t leading = by_rows ? axis : axis + 1;
  const std::size_t length = by_rows ? out[axis] * inner : inner, length_in = by_rows ? in[axis] * inner : inner;
  std::vector<std::ptrdiff_t> stride(leading);  // of x
  std::size_t rows = 1, plane_in = length_in;
  for (std::size_t a = leading; a-- > 0;) {
    stride[a] = static_cast<std::ptrdiff_t>(plane_in);
    plane_in *= in[a];
    rows *= out[a];
  }
  const std::size_t plane_out = rows * length;
  const bool stream = outputs * plane_out * sizeof(T) >= to_memory;

  const std::size_t unit = by_rows ? inner : 64 / sizeof(T);
  const std::size_t chunks = (length + chunk_max - 1) / chunk_max;
  const std::size_t chunk = ((length + chunks - 1) / chunks + unit - 1) / unit * unit;
  const std::size_t task_values = std::clamp<std::size_t>(plane_out / 64, 1 << 14, 1 << 19);
  const std::size_t task_rows = std::clamp<std::size_t>(task_values / chunk, 1, rows);
  const std::size_t row_tasks = (rows + task_rows - 1) / task_rows, chunk_tasks = (length + chunk - 1) / chunk;
  const std::size_t group_rows = chunk < length || length != length_in ? 1 : std::max<std::size_t>(1, stencil_group / length);

  const auto task = [&](std::size_t c, std::size_t first_row, std::size_t last_row) {
    const std::size_t from = c * chunk, to = std::min(length, from + chunk);
    std::vector<const T*> at;  // the taps of all pieces
    std::vector<T> coefficient;
    std::vector<Piece<T>> pieces;
    std::vector<std::size_t> skips;  // 1 where a piece has no diagonal
    std::vector<std::size_t> place(leading);
    for (std::size_t a = leading, r = first_row; a-- > 0; r /= out[a]) place[a] = r % out[a];
    for (std::size_t row = first_row, group; row < last_row; row += group) {
      // Rows that follow each other in the same runs of all terms, along the axis before the row.
      group = leading == 0 ? 1 : std::min(last_row - row, out[leading - 1] - place[leading - 1]);
      if (!gathers) group = std::min(group, group_rows);
      for (const Term& term : terms)
        if (term.axis + 1 == leading) {
          const TapRun& run = run_of(term.matrix, place[term.axis]);
          group = is_backward(term.matrix, run) ? 1 : std::min(group, run.to - place[term.axis]);
        }
      std::ptrdiff_t origin = 0;  // of the first row in x
      for (std::size_t a = 0; a < leading; ++a) origin += static_cast<std::ptrdiff_t>(place[a]) * stride[a];

      for (std::size_t o = 0; o < outputs; ++o) {
        T* out_row = y + o * plane_out + row * length;
        at.clear();
        coefficient.clear();
        pieces.clear();
        skips.clear();
        const auto piece = [&](const Segment* segment, std::size_t piece_from, std::size_t piece_to) {
          const std::size_t start = at.size();
          // The diagonal comes first, because several axes share it; it is left out where it is zero, for 0 * NaN is not.
          double diagonal = 0;
          at.push_back(x);
          coefficient.push_back(0);
          for (std::size_t t = part[o]; t < part[o + 1]; ++t) {
            const Term& term = terms[t];
            const bool in_row = term.axis >= leading;
            const std::size_t i = in_row ? segment->from : place[term.axis];
            const std::ptrdiff_t step = in_row ? static_cast<std::ptrdiff_t>(inner) : stride[term.axis];
            const TapRun& run = in_row ? term.matrix.runs[segment->first] : run_of(term.matrix, i);
            const T* base = x + term.input * plane_in + origin;
            for (std::size_t n = run.first; n < run.last; ++n) {
              const Tap& tap = term.matrix.taps[n];
              const std::ptrdiff_t hop = AxisMatrix::column(tap, i) - static_cast<std::ptrdiff_t>(i);
              if (merged[o] && hop == 0) {
                diagonal += tap.value;
                at[start] = base;
              } else {
                at.push_back(base + hop * step);
                coefficient.push_back(static_cast<T>(tap.value));
              }
            }
          }
          coefficient[start] = static_cast<T>(diagonal);
          const std::size_t skip = diagonal == 0 ? 1 : 0;
          pieces.push_back({piece_from, piece_to, nullptr, nullptr, at.size() - start - skip});
          skips.push_back(skip);
        };
        if (!by_rows) {
          piece(nullptr, from, to);
        } else {
          const auto& parts = last_axis[o];
          const std::size_t i_from = from / inner, i_to = to / inner;
          auto segment = std::upper_bound(parts.begin(), parts.end(), i_from, [](std::size_t i, const Segment& s) { return i < s.to; });
          for (; segment != parts.end() && segment->from < i_to; ++segment) {
            const std::size_t a = std::max(segment->from, i_from), b = std::min(segment->to, i_to);
            if (!segment->gather) {
              piece(&*segment, a * inner, b * inner);
              continue;
            }
            const Term& term = terms[part[o]];
            kernels.gather(&run_of(term.matrix, a), term.matrix.taps.data(), a, b,
                           {x + term.input * plane_in + origin, out_row, group, length_in, length, inner});
          }
        }
        std::size_t taps = 0;
        for (std::size_t p = 0; p < pieces.size(); ++p) {
          taps += skips[p];
          pieces[p].at = at.data() + taps;
          pieces[p].coefficient = coefficient.data() + taps;
          taps += pieces[p].count;
        }
        if (pieces.empty()) continue;
        if (!gathers) kernels.combine(pieces.data(), pieces.size(), group, length, out_row, stream);
        else
          for (std::size_t r = 0; r < group; ++r) {
            kernels.combine(pieces.data(), pieces.size(), 1, length, out_row + r * length, false);
            for (const T*& pointer : at) pointer += length_in;
          }
      }
      for (std::size_t a = leading, step = group; a-- > 0; step = 1) {
        if ((place[a] += step) < out[a]) break;
        place[a] = 0;
      }
    }
    kernels.finish();
  };
  const bool tiny = outputs * plane_out + inputs * plane_in < 1 << 16;  // done before other threads wake up
  for_pixels(row_tasks * chunk_tasks, 1, tiny ? 1 : threads, [&](std::size_t first, std::size_t last) {
    for (std::size_t t = first; t < last; ++t) {
      const std::size_t c = t / row_tasks, r = t % row_tasks;
      task(c, r * task_rows, std::min(rows, (r + 1) * task_rows));
    }
  });
}
template void StencilProgram::run(const float*, float*, std::size_t, int) const;
template void StencilProgram::run(const double*, double*, std::size_t, int) const;

}  // namespace lopsar::cpu
