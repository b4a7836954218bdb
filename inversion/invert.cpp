#include <lopsar/inversion/invert.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <future>
#include <limits>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>

#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>
#include <sys/stat.h>

#include <lopsar/inversion/files/hdf5.hpp>
#include <lopsar/inversion/files/product.hpp>
#include <lopsar/inversion/files/stack_rows.hpp>
#include <lopsar/inversion/time_series.hpp>
#include <lopsar/operators/cpu/aligned_memory.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/lanes/level.hpp>

namespace lopsar {
namespace {

namespace fs = std::filesystem;
namespace tbb = oneapi::tbb;
using files::RowReader;
using Clock = std::chrono::steady_clock;

constexpr std::size_t good_block_bytes = std::size_t(128) << 20;  // large enough for long reads, small enough to see progress

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Python's str(float), the form of MintPy's attributes.
std::string python_float(double value) {
  char text[32];
  std::string result(text, std::to_chars(text, text + sizeof text, value).ptr);
  return result.find_first_of(".en") == std::string::npos ? result + ".0" : result;
}

std::string count_of(std::size_t part, std::size_t whole) { return std::to_string(part) + " of " + std::to_string(whole); }

std::string size_text(std::size_t length, std::size_t width) { return "(" + std::to_string(length) + ", " + std::to_string(width) + ")"; }

std::string stamp(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s)) return path;
  return fs::absolute(path).lexically_normal().string() + " " + std::to_string(s.st_size) + " " + std::to_string(s.st_mtim.tv_sec) + "." +
         std::to_string(s.st_mtim.tv_nsec);
}

const char* weight_name(WeightFunction function) {
  switch (function) {
    case WeightFunction::variance: return "var";
    case WeightFunction::fisher: return "fim";
    case WeightFunction::coherence: return "coh";
    case WeightFunction::none: break;
  }
  return "no";
}

// What is read and how much of it at once.
struct Job {
  InvertOptions options;
  Stack stack;
  std::vector<RowReader> readers;  // phase first
  int coherence = -1, mask = -1;   // indices into readers
  std::string quality_path;        // of avgSpatialCoh.h5, empty: none
  std::optional<Stack::Pixel> reference;
  int looks = 1;
  InvertPlan plan;

  explicit Job(const InvertOptions& given) : options(given), stack(given.stack) {
    check_options();
    open_datasets();
    check_outputs();
    if (!options.skip_reference) {
      reference = stack.reference();
      if (!reference)
        throw FileError(stack.path() +
                        ": attributes REF_Y, REF_X: expected the reference pixel, got none; choose one (MintPy's reference_point.py), or use "
                        "--skip-reference (skip_reference=True) if the phase is referenced already");
    }
    if (options.weight_function == WeightFunction::variance || options.weight_function == WeightFunction::fisher) looks = stack.looks();
    stack.wavelength();
    const fs::path stack_path(stack.path());
    const bool ion = stack_path.filename().string().starts_with("ion");
    const fs::path folder = stack_path.parent_path().empty() ? fs::path(".") : stack_path.parent_path();
    const fs::path quality = folder / ".." / (ion ? "avgSpatialCohIon.h5" : "avgSpatialCoh.h5");
    if (fs::is_regular_file(quality)) quality_path = quality.string();
    make_plan();
  }

  bool fused() const { return options.solver == Method::automatic || options.solver == Method::edge_flow; }

  void check_options() const {
    const auto fail = [](const std::string& what) { throw InvalidArgument("invert: " + what); };
    std::string lower = options.dataset;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return char(std::tolower(c)); });
    if (lower.find("phase") == std::string::npos)
      fail("expected a dataset of unwrapped phase, got '" + options.dataset + "'; choose one of unwrapPhase*");
    static const std::set<std::string> masks{"", "connectComponent", "coherence", "offsetSNR"};
    if (!masks.contains(options.mask_dataset))
      fail("expected a mask dataset connectComponent, coherence or offsetSNR, got '" + options.mask_dataset + "'; choose one of these, or none");
    if (!std::isfinite(options.mask_threshold)) fail("expected a finite mask threshold, got " + python_float(options.mask_threshold));
    if (!(options.min_redundancy >= 0) || std::isinf(options.min_redundancy))
      fail("expected a minimum redundancy of 0 or more, got " + python_float(options.min_redundancy));
    if (!(options.ram > 0)) fail("expected a positive number of GB of memory, got " + python_float(options.ram));
    if (options.threads < 0) fail("expected 0 threads (all) or more, got " + std::to_string(options.threads));
  }

  void check_outputs() const {
    std::set<std::string> inputs{stack.path(), options.water_mask};
    inputs.erase("");
    for (const std::string& path : options.output) {
      const fs::path folder = fs::path(path).parent_path();
      if (!folder.empty() && !fs::is_directory(folder))
        throw FileError(path + ": expected an existing folder for the output, got " + folder.string() + "; make it first");
      std::error_code ignored;
      for (const std::string& input : inputs)
        if (fs::equivalent(path, input, ignored))
          throw InvalidArgument(path + ": expected an output that is not an input of the run; name another file");
    }
  }

  int reader(const std::string& name, const std::string& need) {
    const auto& names = stack.datasets();
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      std::string cubes;
      for (const std::string& other : names)
        if (stack.file().info(other).shape.size() == 3) cubes += (cubes.empty() ? "" : ", ") + other;
      throw FileError(
          stack.path() + ": " + name + ": expected a dataset " + need + ", got none among " + cubes + "; " +
          (name == "coherence" && options.mask_dataset != name ? "add it, or choose the weight function 'no' (-w no)" : "name one of these"));
    }
    const auto shape = stack.file().info(name).shape;
    const std::vector<std::size_t> expected{stack.all_pairs().size(), stack.length(), stack.width()};
    if (shape != expected) {
      std::string got;
      for (std::size_t n : shape) got += (got.empty() ? "" : ", ") + std::to_string(n);
      throw ShapeError(stack.path() + ": " + name + ": expected shape (" + std::to_string(expected[0]) + ", " + std::to_string(expected[1]) + ", " +
                       std::to_string(expected[2]) + "), got (" + got + "); write the stack again");
    }
    readers.emplace_back(stack.file(), name, stack.kept());
    return static_cast<int>(readers.size()) - 1;
  }

  void open_datasets() {
    reader(options.dataset, "of phase");
    if (options.weight_function != WeightFunction::none)
      coherence = reader("coherence", "for the weights '" + std::string(weight_name(options.weight_function)) + "'");
    if (!options.mask_dataset.empty())
      mask = options.mask_dataset == "coherence" && coherence >= 0 ? coherence : reader(options.mask_dataset, "as the mask that was asked for");
  }

  void make_plan() {
    const Network& network = stack.network();
    plan.pairs = network.pairs().size(), plan.all_pairs = stack.all_pairs().size(), plan.dates = network.dates().size();
    plan.components = network.component_count();
    plan.length = stack.length(), plan.width = stack.width(), plan.pixels = plan.length * plan.width;
    plan.isa = lanes::name(lanes::active_level());
    plan.version = version();
    const int machine = tbb::info::default_concurrency();
    plan.threads = options.threads ? std::min(options.threads, machine) : machine;

    const std::size_t row_bytes = plan.width * (4 * (plan.pairs * readers.size() + plan.dates + 2) + 1);
    const double ram = std::min(options.ram * double(1 << 30), 1e18);
    std::size_t scratch = 0;  // of one thread that decodes
    for (const RowReader& r : readers) scratch = std::max(scratch, r.scratch_bytes());
    std::size_t base = 2 * plan.pixels + (std::size_t(plan.threads) << 21);
    if (!fused()) base += time_series_solver_bytes(plan.pairs, plan.dates);
    // Decoding takes up to a quarter, the blocks the rest.
    plan.decoders = plan.threads;
    if (scratch) plan.decoders = static_cast<int>(std::clamp((ram - double(base)) / 4 / double(scratch), 1., double(plan.threads)));
    const std::size_t fixed = base + static_cast<std::size_t>(plan.decoders) * scratch;
    std::size_t align = 1;
    for (const RowReader& r : readers) {
      const std::size_t both = std::lcm(align, r.chunk_rows());
      if (both <= std::max<std::size_t>(align, plan.length)) align = both;
    }
    std::size_t flight = 3, rows = 0;
    for (; flight > 0; --flight) {
      rows = ram <= double(fixed) ? 0 : static_cast<std::size_t>((ram - double(fixed)) / double(flight) / double(row_bytes));
      if (rows >= std::min(align, plan.length)) break;  // overlap, but not at the price of decoding every chunk twice
    }
    if (rows == 0)
      throw InvalidArgument("invert: expected memory for at least one row of the scene" +
                            (scratch > row_bytes ? " and one chunk of " + stack.path() + " being decoded" : std::string()) + " (" +
                            python_float(std::ceil(double(fixed + row_bytes) / double(1 << 30) * 1000) / 1000) + " GB), got " +
                            python_float(options.ram) + " GB; raise --ram");
    flight = std::max<std::size_t>(flight, 1);
    const std::size_t wanted =
        options.chunk_size ? std::max<std::size_t>(1, options.chunk_size / plan.width) : std::max(align, good_block_bytes / row_bytes);
    rows = std::min({rows, wanted, plan.length});
    if (rows > align) {
      rows -= rows % align;
      const std::size_t even = ((plan.length - 1) / ((plan.length - 1) / rows + 1) + align) / align * align;  // blocks of like size
      rows = std::min(rows, even);
    }
    plan.rows_per_block = rows;
    plan.blocks = (plan.length - 1) / rows + 1;
    plan.blocks_in_flight = std::min(flight, plan.blocks);
    plan.memory_bytes = fixed + plan.blocks_in_flight * rows * row_bytes;

    const double kept = double(plan.pairs) / double(plan.all_pairs);
    double decoded = 0;
    for (const RowReader& r : readers) {
      plan.bytes_to_read += static_cast<std::size_t>(double(r.stored_bytes()) * kept);
      if (!r.codec().empty()) decoded += 4.0 * double(plan.pairs * plan.pixels);
    }
    plan.codec = readers[0].codec();
    plan.bytes_to_write = plan.pixels * (4 * plan.dates + 9);
    // Measured on two cores of 2022: operations per second and thread at each level, decoding and copying bytes per second.
    const EdgeFlow flow(network, NullSpace::minimum_norm_velocity);
    const double rate[] = {1.2e9, 8e9, 1.8e10, 2.4e10};
    const double compute = double(plan.pixels) * (30.0 * double(plan.pairs) + 5.0 * double(flow.pair_updates())) / rate[int(lanes::active_level())];
    const double work =
        (compute + decoded / 7e8 + double(plan.bytes_to_read) / 2e9 + double(plan.bytes_to_write) / 2e9) / std::min(plan.threads, machine);
    plan.predicted_seconds = 0.05 + std::max(work, double(plan.bytes_to_read) / 3e9 + double(plan.bytes_to_write) / 1e9);
  }

  // Everything that results depend on, so that a journal is continued only by the same run.
  std::string identity() const {
    std::ostringstream text;
    text << "lopsar " << plan.version << " " << plan.isa << "\nstack " << stamp(stack.path()) << "\ndataset " << options.dataset << "\nweight "
         << weight_name(options.weight_function) << "\nnorm " << options.minimum_norm_velocity << "\nmask " << options.mask_dataset << " "
         << python_float(options.mask_threshold) << "\nredundancy " << python_float(options.min_redundancy) << "\nwater "
         << (options.water_mask.empty() ? "" : stamp(options.water_mask)) << "\nquality " << (quality_path.empty() ? "" : stamp(quality_path))
         << "\nskip reference " << options.skip_reference << "\nsolver " << name(fused() ? Method::edge_flow : options.solver) << "\nrows "
         << plan.rows_per_block;
    return text.str();
  }

  std::vector<files::Product> products() const {
    using files::ElementType;
    const auto& network = stack.network();
    auto attributes = stack.attributes();
    std::string first = stack.all_pairs().front().first, last = first;
    for (const auto& [a, b] : stack.all_pairs()) first = std::min({first, a, b}), last = std::max({last, a, b});
    const auto common =
        std::map<std::string, std::string>{{"START_DATE", first},
                                           {"END_DATE", last},
                                           {"REF_DATE", network.dates().front()},
                                           {"mintpy.networkInversion.obsDatasetName", options.dataset},
                                           {"mintpy.networkInversion.numIfgram", std::to_string(plan.pairs)},
                                           {"mintpy.networkInversion.weightFunc", weight_name(options.weight_function)},
                                           {"mintpy.networkInversion.maskDataset", options.mask_dataset.empty() ? "None" : options.mask_dataset},
                                           {"mintpy.networkInversion.maskThreshold", python_float(options.mask_threshold)},
                                           {"mintpy.networkInversion.minRedundancy", python_float(options.min_redundancy)},
                                           {"mintpy.networkInversion.minNormVelocity", options.minimum_norm_velocity ? "True" : "False"}};
    for (const auto& [key, value] : common) attributes[key] = value;
    for (const auto& [key, value] : options.attributes) attributes[key] = value;
    const auto with = [&](const char* type, const char* unit) {
      auto copy = attributes;
      copy["FILE_TYPE"] = type, copy["UNIT"] = unit;
      return copy;
    };
    const std::size_t d = plan.dates, l = plan.length, w = plan.width;
    const auto baselines = stack.baselines();
    std::vector<files::Product> result(3);
    result[0] = {options.output[0],
                 with("timeseries", "m"),
                 {{"date", ElementType::string, {d}, {}, network.dates(), {}},
                  {"bperp", ElementType::float32, {d}, {baselines.date.begin(), baselines.date.end()}, {}, {}},
                  {"timeseries", ElementType::float32, {d, l, w}, {}, {}, {}}}};
    result[1] = {options.output[1], with("temporalCoherence", "1"), {{"temporalCoherence", ElementType::float32, {l, w}, {}, {}, {}}}};
    result[2] = {
        options.output[2],
        with("mask", "1"),
        {{"mask", ElementType::float32, {l, w}, {}, {}, {{"DESCRIPTION", "number of interferograms used"}}},
         {"status",
          ElementType::uint8,
          {l, w},
          {},
          {},
          {{"DESCRIPTION",
            "0 ok, 1 rank_deficient (minimum norm), 2 no_data, 3 below_redundancy, 4 masked, 5 not_finite, 6 not_converged, 7 breakdown"}}}}};
    result[1].attributes.erase("REF_DATE");
    result[2].attributes.erase("REF_DATE");
    result[2].attributes.erase("NO_DATA_VALUE");
    return result;
  }
};

// Calls use(row, first value of the row) for all rows of a 2-D dataset.
template <class Use>
void each_row(const Job& job, const RowReader& reader, Use use) {
  const std::size_t width = reader.width(), rows = std::max<std::size_t>(1, (std::size_t(1) << 20) / width);
  std::vector<float> values(rows * width);
  // Nothing of the plan's blocks is allocated yet.
  const std::size_t room = job.plan.memory_bytes / std::max<std::size_t>(1, reader.scratch_bytes());
  const int workers = static_cast<int>(std::clamp<std::size_t>(room, 1, static_cast<std::size_t>(job.plan.threads)));
  for (std::size_t row = 0; row < reader.length(); row += rows) {
    const std::size_t end = std::min(reader.length(), row + rows);
    reader.read(row, end, values.data(), values.size(), workers);
    for (std::size_t r = row; r < end; ++r) use(r, values.data() + (r - row) * width);
  }
}

// The first of `names` in the file, else its first 2-D dataset.
std::string image_name(const files::Hdf5File& file, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (file.contains(name)) return name;
  for (const std::string& name : file.datasets())
    if (file.info(name).shape.size() == 2) return name;
  throw FileError(file.path() + ": expected a 2-D dataset, got none; give a file with a mask");
}

// Which pixels may be inverted; empty: all.
std::vector<std::uint8_t> pixel_mask(const Job& job, InvertReport& report) {
  std::vector<std::uint8_t> keep;
  const std::size_t length = job.plan.length, width = job.plan.width;
  if (!job.options.water_mask.empty()) {
    const auto file = files::Hdf5File::open(job.options.water_mask);
    const std::string name = image_name(file, {"waterMask", "mask"});
    const RowReader reader(file, name, {0});
    if (reader.length() != length || reader.width() != width)
      throw ShapeError(file.path() + ": " + name + ": expected the size of the stack " + size_text(length, width) + ", got " +
                       size_text(reader.length(), reader.width()) + "; give a water mask of the same scene");
    keep.assign(length * width, 1);
    each_row(job, reader, [&](std::size_t row, const float* values) {
      for (std::size_t x = 0; x < width; ++x)
        if (values[x] == 0) keep[row * width + x] = 0, ++report.water_pixels;
    });
  }
  if (!job.quality_path.empty()) {
    const auto file = files::Hdf5File::open(job.quality_path);
    const RowReader reader(file, image_name(file, {"coherence", "avgSpatialCoh"}), {0});
    if (reader.length() != length || reader.width() != width) {
      report.warnings.push_back(job.quality_path + ": not used, because its size " + size_text(reader.length(), reader.width()) +
                                " is not that of the stack");
      return keep;
    }
    if (keep.empty()) keep.assign(length * width, 1);
    each_row(job, reader, [&](std::size_t row, const float* values) {
      for (std::size_t x = 0; x < width; ++x)
        if (values[x] == 0 && keep[row * width + x]) keep[row * width + x] = 0, ++report.incoherent_pixels;
    });
    report.warnings.push_back(job.quality_path + ": left out " + count_of(report.incoherent_pixels, length * width) +
                              " pixels, where it is 0 (as MintPy does; remove the file to keep them)");
  }
  return keep;
}

std::vector<double> reference_phase(const Job& job, InvertReport& report) {
  if (!job.reference) return {};
  const auto [row, column] = *job.reference;
  const std::size_t k = job.plan.pairs, width = job.plan.width;
  std::vector<float> values(k * width);
  job.readers[0].read(row, row + 1, values.data(), width, job.plan.decoders);
  std::vector<double> phase;
  std::size_t missing = 0, zero = 0;
  for (std::size_t i = 0; i < k; ++i) {
    phase.push_back(values[i * width + column]);
    if (!std::isfinite(phase.back())) ++missing;
    else if (phase.back() == 0) ++zero;
  }
  const std::string where = job.stack.path() + ": " + job.options.dataset + ": the reference pixel (REF_Y, REF_X) = (" + std::to_string(row) + ", " +
                            std::to_string(column) + ")";
  if (missing + zero == k)
    throw FileError(
        where + ": reference pixel without data: expected phase in at least one of " + std::to_string(k) + " pairs, got only " +
        (missing ? zero ? "NaN and 0" : "NaN" : "0") +
        "; choose a pixel with data (MintPy's reference_point.py), or use --skip-reference (skip_reference=True) if the phase is referenced already");
  if (missing)
    report.warnings.push_back(where + " is NaN in " + count_of(missing, k) +
                              " pairs: these are lost for the whole scene; choose a reference pixel with data in all pairs");
  if (zero)
    report.warnings.push_back(where + " is 0 (no data) in " + count_of(zero, k) +
                              " pairs: their phase is not referenced (as in MintPy); choose a reference pixel with data in all pairs");
  return phase;
}

using Floats = cpu::AlignedMemory<float>;

// A block on its way. Memory is kept from block to block: a fresh page costs more than the arithmetic on it.
struct Work {
  std::vector<Floats> input;
  Floats series, coherence, number;
  std::vector<std::uint8_t> status;
  std::size_t block = 0, row0 = 0, row1 = 0;
  std::array<std::size_t, status_count> counts{};

  Work(const InvertPlan& plan, std::size_t readers) {
    const std::size_t n = plan.rows_per_block * plan.width;
    for (std::size_t i = 0; i < readers; ++i) input.emplace_back(plan.pairs * n);
    series = Floats(plan.dates * n);
    coherence = Floats(n);
    number = Floats(n);
    status.resize(n);
  }
};

struct Counters {
  std::atomic<std::size_t> blocks{0}, pixels{0}, read{0}, written{0};
};

class Run {
 public:
  Run(const Job& job, files::ProductSet& products, InvertReport& report, std::vector<std::uint8_t> keep, const std::vector<double>& reference)
      : job_(job), products_(products), report_(report), keep_(std::move(keep)), done_(job.plan.blocks, 0) {
    rules_.weight_function = job.options.weight_function;
    rules_.looks = job.looks;
    rules_.null_space = job.options.minimum_norm_velocity ? NullSpace::minimum_norm_velocity : NullSpace::minimum_norm_phase;
    rules_.min_redundancy = job.options.min_redundancy;
    rules_.method = job.options.solver;
    report.solver = {job.fused() ? Method::edge_flow : job.options.solver, Arithmetic::float32};
    rules_.reference_phase = reference;
    rules_.scale = 1 / job.stack.phase_per_meter();
    for (const auto& finished : products.finished()) {
      if (done_[finished.block]) continue;
      done_[finished.block] = 1;
      std::istringstream note(finished.note);
      for (std::size_t& n : report_.pixels_by_status) {
        std::size_t count = 0;
        note >> count;
        n += count;
      }
      ++report_.resumed_blocks;
      counters.blocks += 1;
      counters.pixels += (last_row(finished.block) - finished.block * job.plan.rows_per_block) * job.plan.width;
    }
  }

  Counters counters;
  std::atomic<bool> stop{false};
  bool writing_failed = false;

  void operator()() {
    tbb::task_arena arena(job_.plan.threads);
    arena.execute([&] {
      const std::size_t flight = job_.plan.blocks_in_flight;
      for (std::size_t i = 0; i < flight; ++i) pool_.emplace_back(job_.plan, job_.readers.size());
      constexpr auto mode = tbb::filter_mode::serial_in_order;
      // Stages take blocks in order, so the one that held a buffer `flight` blocks ago has left it.
      tbb::parallel_pipeline(flight,
                             tbb::make_filter<void, Work*>(mode, [&](tbb::flow_control& flow) -> Work* {
                               while (next_ < job_.plan.blocks && done_[next_]) ++next_;
                               if (stop || next_ == job_.plan.blocks) {
                                 flow.stop();
                                 return nullptr;
                               }
                               Work& work = pool_[taken_++ % flight];
                               timed(report_.read_seconds, [&] { read(work, next_++); });
                               return &work;
                             }) & tbb::make_filter<Work*, Work*>(mode, [&](Work* work) {
                               // Isolated, so that this thread does not read another block while it waits for its last tiles.
                               timed(report_.compute_seconds, [&] { tbb::this_task_arena::isolate([&] { compute(*work); }); });
                               return work;
                             }) & tbb::make_filter<Work*, void>(mode, [&](Work* work) { timed(report_.write_seconds, [&] { write(*work); }); }));
    });
  }

 private:
  template <class Stage>
  static void timed(double& seconds, Stage stage) {
    const auto start = Clock::now();
    stage();
    seconds += seconds_since(start);
  }

  std::size_t last_row(std::size_t block) const { return std::min(job_.plan.length, (block + 1) * job_.plan.rows_per_block); }

  void read(Work& work, std::size_t block) {
    work.block = block;
    work.row0 = block * job_.plan.rows_per_block;
    work.row1 = last_row(block);
    const std::size_t n = (work.row1 - work.row0) * job_.plan.width;
    for (std::size_t i = 0; i < job_.readers.size(); ++i) job_.readers[i].read(work.row0, work.row1, work.input[i].data(), n, job_.plan.decoders);
    counters.read += static_cast<std::size_t>(double(job_.plan.bytes_to_read) * double(work.row1 - work.row0) / double(job_.plan.length));
  }

  void compute(Work& work) {
    const std::size_t n = (work.row1 - work.row0) * job_.plan.width, k = job_.plan.pairs;
    float* phase = work.input[0].data();
    if (job_.mask >= 0) apply_mask(phase, work.input[static_cast<std::size_t>(job_.mask)].data(), n);
    TimeSeriesOutput<float> out;
    out.series = {work.series.data(), job_.plan.dates, n};
    out.temporal_coherence = work.coherence.data();
    out.num_ifgram = work.number.data();
    out.num_ifgram_type = TimeSeriesOutput<float>::Number::float32;
    out.status = work.status.data();
    const ConstBlock<float> coherence =
        job_.coherence < 0 ? ConstBlock<float>{} : ConstBlock<float>{work.input[static_cast<std::size_t>(job_.coherence)].data(), k, n};
    report_.solver = invert_time_series<float>(job_.stack.network(), {phase, k, n}, coherence,
                                               keep_.empty() ? nullptr : keep_.data() + work.row0 * job_.plan.width, out, rules_);
    if (job_.reference && job_.reference->row >= work.row0 && job_.reference->row < work.row1) {
      const std::size_t p = (job_.reference->row - work.row0) * job_.plan.width + job_.reference->column;
      for (std::size_t d = 0; d < job_.plan.dates; ++d) work.series.data()[d * n + p] = 0;
      work.coherence.data()[p] = 1;
      work.number.data()[p] = static_cast<float>(k);
      work.status[p] = static_cast<std::uint8_t>(Status::ok);
    }
    work.counts.fill(0);
    for (std::size_t p = 0; p < n; ++p) ++work.counts[work.status[p]];
  }

  void apply_mask(float* phase, const float* mask, std::size_t n) const {
    const bool component = job_.options.mask_dataset == "connectComponent";
    const float threshold = static_cast<float>(job_.options.mask_threshold), missing = std::numeric_limits<float>::quiet_NaN();
    tbb::parallel_for(std::size_t(0), job_.plan.pairs, [=](std::size_t k) {
      for (std::size_t i = k * n; i < (k + 1) * n; ++i) {
        const float m = mask[i] == mask[i] ? mask[i] : 0.f;
        if (component ? m == 0 : !(m >= threshold)) phase[i] = missing;
      }
    });
  }

  void write(Work& work) {
    const std::size_t n = (work.row1 - work.row0) * job_.plan.width;
    std::string note;
    for (std::size_t count : work.counts) note += std::to_string(count) + " ";
    try {
      products_.write_rows(0, "timeseries", work.row0, work.row1, work.series.data(), n);
      products_.write_rows(1, "temporalCoherence", work.row0, work.row1, work.coherence.data(), n);
      products_.write_rows(2, "mask", work.row0, work.row1, work.number.data(), n);
      products_.write_rows(2, "status", work.row0, work.row1, work.status.data(), n);
      products_.finish_block(work.block, note);
    } catch (...) {
      writing_failed = true;
      throw;
    }
    for (std::size_t s = 0; s < work.counts.size(); ++s) report_.pixels_by_status[s] += work.counts[s];
    counters.blocks += 1;
    counters.pixels += n;
    counters.written += n * (4 * job_.plan.dates + 9);
  }

  const Job& job_;
  files::ProductSet& products_;
  InvertReport& report_;
  std::vector<std::uint8_t> keep_, done_;
  TimeSeriesOptions rules_;
  std::vector<Work> pool_;
  std::size_t next_ = 0, taken_ = 0;
};

[[noreturn]] void nothing_inverted(const Job& job, const InvertReport& report) {
  const auto count = [&](Status s) { return report.pixels_by_status[static_cast<std::size_t>(s)]; };
  std::string why;
  const auto add = [&](std::size_t n, const std::string& what) {
    if (n) why += (why.empty() ? "" : ", ") + std::to_string(n) + " " + what;
  };
  add(count(Status::no_data), "without data" + std::string(job.options.mask_dataset.empty() ? "" : " after masking by " + job.options.mask_dataset));
  add(count(Status::below_redundancy), "with a date below the minimum redundancy of " + python_float(job.options.min_redundancy));
  add(report.water_pixels, "in the water mask");
  add(report.incoherent_pixels, "zero in " + job.quality_path);
  add(count(Status::not_finite), "with infinite or huge values");
  add(count(Status::not_converged) + count(Status::breakdown), "without a solution");
  if (why.empty()) why = "the reference pixel only";
  throw InvalidArgument(job.stack.path() + ": " + job.options.dataset + ": expected pixels to invert, got none among " +
                        std::to_string(job.plan.pixels) + " (" + why +
                        "); check the phase and its reference pixel, or loosen masks and --min-redundancy");
}

}  // namespace

std::string version() { return LOPSAR_VERSION; }

InvertPlan plan(const InvertOptions& options) { return Job(options).plan; }

InvertReport invert(const InvertOptions& options, const std::function<bool(const InvertProgress&)>& monitor) {
  const auto start = Clock::now();
  const Job job(options);
  InvertReport report;
  report.plan = job.plan;
  report.output = options.output;
  auto keep = pixel_mask(job, report);
  const auto reference = reference_phase(job, report);
  if (job.plan.components > 1)
    report.warnings.push_back(job.stack.path() + ": the network falls into " + std::to_string(job.plan.components) +
                              " parts: motion between them is a minimum norm, not data");

  auto products = files::ProductSet::create_or_resume(job.products(), job.identity(), job.plan.blocks);
  Run run(job, products, report, std::move(keep), reference);
  const auto progress = [&] {
    return InvertProgress{run.counters.blocks, job.plan.blocks,      run.counters.pixels, job.plan.pixels,
                          run.counters.read,   run.counters.written, seconds_since(start)};
  };
  try {
    if (!products.complete()) {
      // The pipeline has its own thread, so that this one, which may be Python's main thread, can ask whether to go on.
      auto worker = std::async(std::launch::async, [&] { run(); });
      try {
        while (worker.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready)
          if (monitor && !run.stop && !monitor(progress())) run.stop = true;
      } catch (...) {
        run.stop = true;
        worker.wait();
        throw;
      }
      worker.get();
    }
  } catch (const Error&) {
    // What a damaged input left behind is of no use; after a full disk the run can go on.
    if (!run.writing_failed) products.discard();
    throw;
  }
  if (!job.fused()) report.pixels_by_edge_flow = report.pixels_by_status[static_cast<std::size_t>(Status::rank_deficient)];
  for (Status s : {Status::ok, Status::rank_deficient, Status::not_converged})
    report.pixels_inverted += report.pixels_by_status[static_cast<std::size_t>(s)];
  report.bytes_read = run.counters.read, report.bytes_written = run.counters.written;
  report.interrupted = !products.complete() && run.counters.blocks < job.plan.blocks;
  if (!report.interrupted && !products.complete()) {
    if (report.pixels_inverted <= (job.reference ? 1u : 0u)) {
      products.discard();
      nothing_inverted(job, report);
    }
    const auto writing = Clock::now();
    products.commit();
    report.write_seconds += seconds_since(writing);
  }
  report.seconds = seconds_since(start);
  try {
    if (monitor) monitor(progress());
  } catch (...) {
    if (report.interrupted) throw;  // else the products are there, whatever the monitor makes of it
  }
  return report;
}

}  // namespace lopsar
