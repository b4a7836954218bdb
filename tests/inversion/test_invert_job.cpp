#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <numbers>
#include <vector>

#include <lopsar/inversion/files/hdf5.hpp>
#include <lopsar/inversion/invert.hpp>
#include <lopsar/operators/error.hpp>

#include "../support/catch.hpp"

namespace fs = std::filesystem;
using namespace lopsar;
using namespace lopsar::files;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "lopsar_job_XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

constexpr std::size_t length = 9, width = 5, pairs = 5, dates = 4;
const std::vector<std::string> names{"20200101", "20200113", "20200125", "20200206"};
const std::size_t first[pairs] = {0, 1, 2, 0, 1}, second[pairs] = {1, 2, 3, 2, 3};

float displacement(std::size_t d, std::size_t p) { return 0.01f * float(d) * float(p); }  // m

// A stack without noise; the pair before the last is dropped, pixel 7 has no data, pixel 8 misses the last date.
void write_stack(const std::string& path, double wavelength) {
  Hdf5File file = Hdf5File::create(path);
  std::vector<std::string> text;
  std::vector<float> phase(pairs * length * width), coherence(phase.size(), 0.7f), bperp;
  for (std::size_t k = 0; k < pairs; ++k) {
    text.insert(text.end(), {names[first[k]], names[second[k]]});
    bperp.push_back(10.f * (float(second[k]) - float(first[k])));
    for (std::size_t p = 0; p < length * width; ++p) {
      float& y = phase[k * length * width + p];
      y = float(-4 * std::numbers::pi / wavelength) * (displacement(second[k], p) - displacement(first[k], p)) + 0.5f;
      if (p == 7 || (p == 8 && second[k] == 3)) y = std::numeric_limits<float>::quiet_NaN();
    }
  }
  const std::vector<std::size_t> cube{pairs, length, width}, origin{0, 0, 0}, vector{pairs}, zero{0};
  CreateOptions strings, chunked;
  strings.string_size = 8;
  chunked.chunk = {2, 4, 3};
  chunked.compression = Compression::lzf;
  file.create_dataset("date", {pairs, 2}, ElementType::string, strings);
  file.write_strings("date", text);
  file.create_dataset("bperp", vector, ElementType::float32);
  file.write("bperp", zero, vector, ElementType::float32, bperp.data());
  const std::vector<std::int8_t> keep{1, 1, 1, 0, 1};
  file.create_dataset("dropIfgram", vector, ElementType::boolean);
  file.write("dropIfgram", zero, vector, ElementType::boolean, keep.data());
  for (const auto& [name, values] : {std::pair{"unwrapPhase", &phase}, std::pair{"coherence", &coherence}}) {
    file.create_dataset(name, cube, ElementType::float32, chunked);
    file.write(name, origin, cube, ElementType::float32, values->data());
  }
  for (const auto& [key, value] : {std::pair{"LENGTH", "9"}, std::pair{"WIDTH", "5"}, std::pair{"WAVELENGTH", "0.05"}, std::pair{"ALOOKS", "5.0"},
                                   std::pair{"RLOOKS", "15"}, std::pair{"REF_Y", "0"}, std::pair{"REF_X", "0"}, std::pair{"NO_DATA_VALUE", "0"}})
    file.set_attribute(key, value);
  file.close();
}

InvertOptions options(const Folder& folder) {
  InvertOptions o;
  o.stack = folder / "ifgramStack.h5";
  o.output = {folder / "ts.h5", folder / "tcoh.h5", folder / "num.h5"};
  return o;
}

std::vector<float> read(const std::string& path, const std::string& name) {
  const auto file = Hdf5File::open(path);
  const auto shape = file.info(name).shape;
  std::size_t n = 1;
  for (std::size_t s : shape) n *= s;
  std::vector<float> values(n);
  file.read(name, std::vector<std::size_t>(shape.size(), 0), shape, ElementType::float32, values.data());
  return values;
}

}  // namespace

TEST_CASE("the job returns displacement relative to the reference pixel and the first date") {
  const Folder folder;
  write_stack(folder / "ifgramStack.h5", 0.05);
  auto o = options(folder);
  const auto p = plan(o);
  CHECK(p.pairs == pairs - 1);
  CHECK(p.dates == dates);
  CHECK(p.pixels == length * width);
  for (std::size_t chunk : {std::size_t(0), std::size_t(1), 4 * width}) {
    o.chunk_size = chunk;
    const auto report = invert(o);
    CHECK_FALSE(report.interrupted);
    CHECK(report.pixels_by_status[std::size_t(Status::ok)] == length * width - 2);
    CHECK(report.pixels_by_status[std::size_t(Status::no_data)] == 1);
    CHECK(report.pixels_by_status[std::size_t(Status::below_redundancy)] == 1);
    const auto series = read(o.output[0], "timeseries"), quality = read(o.output[1], "temporalCoherence"), number = read(o.output[2], "mask"),
               status = read(o.output[2], "status");
    for (std::size_t pixel = 0; pixel < length * width; ++pixel) {
      const bool in = pixel != 7 && pixel != 8;
      for (std::size_t d = 0; d < dates; ++d)
        CHECK(std::abs(series[d * length * width + pixel] - (in ? displacement(d, pixel) : 0.f)) <= 1e-6f * (1 + displacement(dates, pixel)));
      CHECK(number[pixel] == (in ? 4.f : 0.f));
      CHECK(std::abs(quality[pixel] - (in ? 1.f : 0.f)) < 1e-6f);
      CHECK((status[pixel] == 0) == in);
    }
    const auto attributes = Hdf5File::open(o.output[2]).attributes();
    CHECK(attributes.at("FILE_TYPE") == "mask");
    CHECK_FALSE(attributes.contains("NO_DATA_VALUE"));
    CHECK(attributes.at("mintpy.networkInversion.minRedundancy") == "1.0");
    CHECK(Hdf5File::open(o.output[0]).attributes().at("REF_DATE") == names[0]);
  }
}

TEST_CASE("an interrupted job goes on and ends with the same bytes") {
  const Folder folder;
  write_stack(folder / "ifgramStack.h5", 0.05);
  auto o = options(folder);
  o.chunk_size = 1;
  const auto whole = (invert(o), read(o.output[0], "timeseries"));
  for (const auto& path : o.output) fs::remove(path);
  bool interrupted = false;
  // The run is short, so the first question may come when it is over.
  for (int attempt = 0; attempt < 20 && !interrupted; ++attempt) {
    const auto report = invert(o, [](const InvertProgress&) { return false; });
    interrupted = report.interrupted;
    CHECK(fs::exists(o.output[0]) == !interrupted);
    if (!interrupted)
      for (const auto& path : o.output) fs::remove(path);
  }
  const auto report = invert(o);
  CHECK_FALSE(report.interrupted);
  CHECK(read(o.output[0], "timeseries") == whole);
  CHECK(std::distance(fs::directory_iterator(folder.path), {}) == 4);
}

TEST_CASE("the stack says what is wrong with it") {
  const Folder folder;
  CHECK_THROWS_AS(Stack(folder / "absent.h5"), FileError);
  write_stack(folder / "ifgramStack.h5", 0.05);
  const Stack stack(folder / "ifgramStack.h5");
  CHECK(stack.kept() == std::vector<std::size_t>{0, 1, 2, 4});
  CHECK(stack.looks() == 39);
  CHECK(std::abs(stack.phase_per_meter() * stack.wavelength() / (4 * std::numbers::pi) + 1) < 1e-12);
  const auto baselines = stack.baselines();
  for (std::size_t d = 0; d < dates; ++d) CHECK(std::abs(baselines.date[d] - 10.0 * double(d)) < 1e-6);
  CHECK(baselines.max_misfit < 1e-6);
  auto o = options(folder);
  o.mask_dataset = "connectComponent";
  CHECK_THROWS_AS(invert(o), FileError);
  o.mask_dataset = "shadowMask";
  CHECK_THROWS_AS(invert(o), InvalidArgument);
  o = options(folder);
  o.ram = 1e-9;
  CHECK_THROWS_AS(plan(o), InvalidArgument);
  o = options(folder);
  o.min_redundancy = 99;
  CHECK_THROWS_AS(invert(o), InvalidArgument);
  CHECK(std::distance(fs::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("decoding has its share of the memory") {
  const Folder folder;
  write_stack(folder / "ifgramStack.h5", 0.05);
  auto o = options(folder);
  const auto much = plan(o);
  CHECK(much.decoders == much.threads);
  // Chunks of a few bytes, but each may take 64 KiB raw.
  o.threads = 1;
  const auto one = plan(o);
  CHECK(one.decoders == 1);
  CHECK(one.memory_bytes > (std::size_t(1) << 21) + 2 * (std::size_t(1) << 16));
  o.ram = double((std::size_t(1) << 21) + (std::size_t(1) << 16)) / double(1 << 30);
  CHECK_THROWS_AS(plan(o), InvalidArgument);
}

TEST_CASE("what the monitor says when the products are there no longer counts") {
  const Folder folder;
  write_stack(folder / "ifgramStack.h5", 0.05);
  const auto o = options(folder);
  bool done = false;
  const auto report = invert(o, [&](const InvertProgress&) -> bool {
    done = fs::exists(o.output[0]);
    if (done) throw 1;
    return true;
  });
  CHECK(done);
  CHECK_FALSE(report.interrupted);
}
