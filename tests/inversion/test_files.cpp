#include <hdf5.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <thread>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lopsar/inversion/files/hdf5.hpp>
#include <lopsar/inversion/files/product.hpp>
#include <lopsar/inversion/files/stack_rows.hpp>
#include <lopsar/operators/error.hpp>

#include "../support/catch.hpp"

namespace fs = std::filesystem;
using namespace lopsar;
using namespace lopsar::files;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "lopsar_files_XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

// Values that every numeric type up from int16 holds exactly, compressible in places.
float expected(std::size_t k, std::size_t y, std::size_t x) { return y % 5 == 0 ? 0.f : float((k * 131 + y * 17 + x * 3) % 3001) - 1000.f; }

template <class T>
std::vector<T> cube(std::size_t n, std::size_t l, std::size_t w) {
  std::vector<T> data(n * l * w);
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t y = 0; y < l; ++y)
      for (std::size_t x = 0; x < w; ++x) data[(k * l + y) * w + x] = static_cast<T>(expected(k, y, x));
  return data;
}

constexpr std::size_t N = 7, L = 23, W = 19;
const std::vector<std::size_t> origin{0, 0, 0}, whole{N, L, W};

using Expect = std::function<float(std::size_t, std::size_t, std::size_t)>;

void check_reader(const std::string& path, const std::string& name, const Expect& value = expected) {
  const std::vector<std::size_t> slices{5, 0, 1, 6, 1};
  const RowReader reader(Hdf5File::open(path), name, slices);
  REQUIRE(reader.length() == L);
  REQUIRE(reader.width() == W);
  for (auto [row0, row1] : {std::pair<std::size_t, std::size_t>{0, L}, {0, 1}, {3, 11}, {22, 23}, {9, 9}}) {
    const std::size_t used = (row1 - row0) * W, stride = used + 3;
    std::vector<float> out(slices.size() * stride + 1, -7777.f);
    reader.read(row0, row1, out.data(), stride);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < slices.size(); ++i) {
      for (std::size_t p = 0; p < used; ++p) wrong += out[i * stride + p] != value(slices[i], row0 + p / W, p % W);
      for (std::size_t p = used; p < stride; ++p) wrong += out[i * stride + p] != -7777.f;
    }
    INFO(path << " " << name << " rows " << row0 << " to " << row1);
    CHECK(wrong == 0);
  }
  CHECK_THROWS_AS(reader.read(0, L + 1, nullptr, 0), ShapeError);
}

void make(const std::string& path, ElementType type, const void* data, const CreateOptions& options) {
  Hdf5File file = Hdf5File::create(path);
  file.create_dataset("d", whole, type, options);
  file.write("d", origin, whole, type, data);
  file.close();
}

// A file made with plain HDF5 calls; `fill` may write the dataset.
void make_plain(const std::string& path, hid_t type, hid_t list, const std::function<void(hid_t)>& fill) {
  const hsize_t shape[3] = {N, L, W};
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), space = H5Screate_simple(3, shape, nullptr);
  const hid_t dataset = H5Dcreate2(file, "d", type, space, H5P_DEFAULT, list, H5P_DEFAULT);
  REQUIRE(dataset >= 0);
  fill(dataset);
  H5Dclose(dataset), H5Sclose(space), H5Fclose(file), H5Pclose(list);
}

hid_t chunked(hsize_t a, hsize_t b, hsize_t c) {
  const hsize_t chunk[3] = {a, b, c};
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(list, 3, chunk);
  return list;
}

std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const FileError& error) {
    return error.what();
  }
  return "";
}

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<float> read_all(const std::string& path, const std::string& name) {
  const Hdf5File file = Hdf5File::open(path);
  const auto shape = file.info(name).shape;
  std::vector<float> out(std::accumulate(shape.begin(), shape.end(), std::size_t(1), std::multiplies<>()));
  file.read(name, std::vector<std::size_t>(shape.size(), 0), shape, ElementType::float32, out.data());
  return out;
}

std::vector<Product> two_products(const Folder& folder) {
  return {{folder / "ts.h5",
           {{"FILE_TYPE", "timeseries"}, {"UNIT", "m"}},
           {{"date", ElementType::string, {3}, {}, {"20170101", "20170113", "20170125"}},
            {"bperp", ElementType::float32, {3}, {0.f, 1.5f, -2.f}, {}},
            {"timeseries", ElementType::float32, {3, 8, 5}, {}, {}}}},
          {folder / "status.h5", {{"FILE_TYPE", "mask"}}, {{"status", ElementType::uint8, {8, 5}, {}, {}}}}};
}

// Blocks of two rows; block b of slice s holds 100 s + 10 b + column.
void write_block(ProductSet& set, std::size_t b) {
  std::vector<float> ts(3 * 12);
  std::vector<std::uint8_t> status(10, std::uint8_t(b));
  for (std::size_t s = 0; s < 3; ++s)
    for (std::size_t p = 0; p < 10; ++p) ts[s * 12 + p] = float(100 * s + 10 * b + p % 5);
  set.write_rows(0, "timeseries", 2 * b, 2 * b + 2, ts.data(), 12);
  set.write_rows(1, "status", 2 * b, 2 * b + 2, status.data(), 0);
  set.finish_block(b, "note\n" + std::to_string(b));
}

void check_products(const Folder& folder) {
  const auto ts = read_all(folder / "ts.h5", "timeseries"), status = read_all(folder / "status.h5", "status");
  for (std::size_t s = 0; s < 3; ++s)
    for (std::size_t y = 0; y < 8; ++y)
      for (std::size_t x = 0; x < 5; ++x) REQUIRE(ts[(s * 8 + y) * 5 + x] == float(100 * s + 10 * (y / 2) + x));
  for (std::size_t y = 0; y < 8; ++y) REQUIRE(status[y * 5 + 2] == float(y / 2));
  const Hdf5File file = Hdf5File::open(folder / "ts.h5");
  CHECK(file.read_strings("date") == std::vector<std::string>{"20170101", "20170113", "20170125"});
  CHECK(file.attributes().at("UNIT") == "m");
  CHECK(read_all(folder / "ts.h5", "bperp") == std::vector<float>{0.f, 1.5f, -2.f});
  CHECK(file.info("timeseries").compression.empty());
  std::size_t left = 0;
  for (const auto& entry : fs::directory_iterator(folder.path)) left += entry.path().filename().string().starts_with(".");
  CHECK(left == 0);
}

// Runs `act` in a child; the signal that ended it, or its exit status.
int in_child(const std::function<void()>& act) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      act();
    } catch (...) {
      ::_exit(99);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("every way of storing numbers reads as the same float32 rows", "[files]") {
  const Folder folder;
  const auto data = cube<float>(N, L, W);
  const auto small = cube<std::int16_t>(N, L, W);
  for (const auto& chunk : std::vector<std::vector<std::size_t>>{{}, {1, L, W}, {3, 4, 8}, {2, 5, W}, {N, L, W}, {1, 1, 1}})
    for (Compression compression : {Compression::none, Compression::gzip, Compression::lzf})
      for (bool shuffle : {false, true}) {
        CreateOptions options;
        options.chunk = chunk, options.compression = compression, options.shuffle = shuffle;
        make(folder / "f.h5", ElementType::float32, data.data(), options);
        check_reader(folder / "f.h5", "d");
        make(folder / "i.h5", ElementType::int16, small.data(), options);
        check_reader(folder / "i.h5", "d");
        const DatasetInfo info = Hdf5File::open(folder / "i.h5").info("d");
        CHECK(info.type == ElementType::int16);
        CHECK(info.compression == (compression == Compression::none ? "" : compression == Compression::gzip ? "gzip" : "lzf"));
        CHECK(info.shuffle == shuffle);
      }
  const auto wide = cube<double>(N, L, W);
  make(folder / "w.h5", ElementType::float64, wide.data(), {});
  check_reader(folder / "w.h5", "d");
  const auto longs = cube<std::int64_t>(N, L, W);
  CreateOptions options;
  options.chunk = {2, 6, 5}, options.compression = Compression::gzip, options.shuffle = true;
  make(folder / "l.h5", ElementType::int64, longs.data(), options);
  check_reader(folder / "l.h5", "d");
}

TEST_CASE("booleans and a two-dimensional dataset read as rows", "[files]") {
  const Folder folder;
  std::vector<std::uint8_t> mask(N * L * W);
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = i % 3 == 0;
  const Expect value = [](std::size_t k, std::size_t y, std::size_t x) { return float(((k * L + y) * W + x) % 3 == 0); };
  CreateOptions lzf;
  lzf.compression = Compression::lzf;
  for (const CreateOptions& options : {CreateOptions{}, lzf}) {
    make(folder / "b.h5", ElementType::boolean, mask.data(), options);
    check_reader(folder / "b.h5", "d", value);
    CHECK(Hdf5File::open(folder / "b.h5").info("d").type == ElementType::boolean);
  }
  {
    Hdf5File file = Hdf5File::create(folder / "2.h5");
    file.create_dataset("geometry/height", {L, W}, ElementType::float32, lzf);
    file.write("geometry/height", std::vector<std::size_t>{0, 0}, std::vector<std::size_t>{L, W}, ElementType::float32, cube<float>(1, L, W).data());
  }
  const RowReader reader(Hdf5File::open(folder / "2.h5"), "geometry/height", {0});
  std::vector<float> out(2 * W);
  reader.read(3, 5, out.data(), out.size());
  for (std::size_t p = 0; p < out.size(); ++p) CHECK(out[p] == expected(0, 3 + p / W, p % W));
}

TEST_CASE("files of other writers: byte order, other filters, holes, filter masks, fill values", "[files]") {
  const Folder folder;
  const auto data = cube<float>(N, L, W);
  Hdf5File::create(folder / "first.h5").close();  // the lzf filter is there from now on
  const auto write = [&](hid_t dataset) { REQUIRE(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data.data()) >= 0); };
  make_plain(folder / "be.h5", H5T_IEEE_F32BE, H5Pcreate(H5P_DATASET_CREATE), write);
  check_reader(folder / "be.h5", "d");
  hid_t list = chunked(2, 5, 7);
  H5Pset_shuffle(list), H5Pset_deflate(list, 4);
  make_plain(folder / "bez.h5", H5T_IEEE_F32BE, list, write);
  check_reader(folder / "bez.h5", "d");
  list = chunked(2, 5, 7);
  H5Pset_scaleoffset(list, H5Z_SO_FLOAT_DSCALE, 1);
  make_plain(folder / "so.h5", H5T_IEEE_F32LE, list, write);
  check_reader(folder / "so.h5", "d");
  list = chunked(2, 5, 7);
  H5Pset_deflate(list, 4), H5Pset_fletcher32(list);
  make_plain(folder / "f32.h5", H5T_IEEE_F32LE, list, write);
  check_reader(folder / "f32.h5", "d");
  list = chunked(2, 5, 7);
  H5Pset_deflate(list, 4), H5Pset_chunk_opts(list, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
  make_plain(folder / "edge.h5", H5T_IEEE_F32LE, list, write);
  check_reader(folder / "edge.h5", "d");

  for (int kind = 0; kind < 4; ++kind) {  // one chunk written, with its own filter mask; all others absent
    list = chunked(2, 5, W);
    const float fill = kind == 3 ? 0.f : -3.5f;
    if (kind != 3) H5Pset_fill_value(list, H5T_NATIVE_FLOAT, &fill);
    H5Pset_shuffle(list);
    H5Pset_deflate(list, 4);
    if (kind == 2) H5Premove_filter(list, H5Z_FILTER_SHUFFLE), H5Premove_filter(list, H5Z_FILTER_DEFLATE);
    make_plain(folder / "hole.h5", H5T_IEEE_F32LE, list, [&](hid_t dataset) {
      std::vector<float> one(2 * 5 * W);
      for (std::size_t k = 0; k < 2; ++k)
        for (std::size_t p = 0; p < 5 * W; ++p) one[k * 5 * W + p] = expected(k, 5 + p / W, p % W);
      const hsize_t at[3] = {0, 5, 0};
      if (kind == 3) return;
      REQUIRE(H5Dwrite_chunk(dataset, H5P_DEFAULT, kind == 2 ? 0 : 3, at, one.size() * 4, one.data()) >= 0);
    });
    check_reader(folder / "hole.h5", "d",
                 [&](std::size_t k, std::size_t y, std::size_t x) { return kind < 3 && k < 2 && y >= 5 && y < 10 ? expected(k, y, x) : fill; });
  }
  make_plain(folder / "late.h5", H5T_IEEE_F32LE, H5Pcreate(H5P_DATASET_CREATE), [](hid_t) {});
  check_reader(folder / "late.h5", "d", [](auto, auto, auto) { return 0.f; });

  // Only the second filter skipped, as h5py's lzf does with noise.
  list = chunked(N, L, W);
  H5Pset_shuffle(list);
  const unsigned cd[3] = {4, 0x0105, unsigned(N * L * W * 4)};
  H5Pset_filter(list, 32000, H5Z_FLAG_OPTIONAL, 3, cd);
  make_plain(folder / "mask.h5", H5T_IEEE_F32LE, list, [&](hid_t dataset) {
    std::vector<unsigned char> shuffled(data.size() * 4);
    const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
    for (std::size_t i = 0; i < shuffled.size(); ++i) shuffled[i % 4 * data.size() + i / 4] = bytes[i];
    const hsize_t at[3] = {0, 0, 0};
    REQUIRE(H5Dwrite_chunk(dataset, H5P_DEFAULT, 2, at, shuffled.size(), shuffled.data()) >= 0);
  });
  check_reader(folder / "mask.h5", "d");
}

TEST_CASE("many threads may read one file", "[files]") {
  const Folder folder;
  CreateOptions options;
  options.chunk = {3, 4, 8}, options.compression = Compression::gzip;
  make(folder / "f.h5", ElementType::float32, cube<float>(N, L, W).data(), options);
  const RowReader reader(Hdf5File::open(folder / "f.h5"), "d", {0, 1, 2, 3, 4, 5, 6});
  std::atomic<std::size_t> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      std::vector<float> out(N * 2 * W);
      for (std::size_t y = 0; y + 2 <= L; ++y) {
        reader.read(y, y + 2, out.data(), 2 * W);
        for (std::size_t i = 0; i < out.size(); ++i) wrong += out[i] != expected(i / (2 * W), y + i / W % 2, i % W);
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("attributes, strings and groups", "[files]") {
  const Folder folder;
  {
    Hdf5File file = Hdf5File::create(folder / "a.h5");
    file.set_attribute("NAME", "Galápagos");
    file.set_attribute("NAME", "twice");
    file.set_attribute("EMPTY", "");
    file.set_attribute("LONG", std::string(5000, 'x'));
    CreateOptions options;
    options.string_size = 8;
    file.create_dataset("date", {2, 2}, ElementType::string, options);
    file.write_strings("date", {"20170101", "20170113", "short", ""});
    CHECK_THROWS_AS(file.write_strings("date", {"20170101T", "", "", ""}), InvalidArgument);
    file.create_dataset("deep/er/scalar", {}, ElementType::float64);
    const double value = 0.1;
    file.write("deep/er/scalar", {}, {}, ElementType::float64, &value);
    file.set_attribute("UNIT", "m", "date");
  }
  const hid_t raw = H5Fopen((folder / "a.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), scalar = H5Screate(H5S_SCALAR);
  const auto add = [&](const char* key, hid_t file_type, hid_t memory, hid_t space, const void* value) {
    const hid_t attribute = H5Acreate2(raw, key, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    REQUIRE(H5Awrite(attribute, memory, value) >= 0);
    H5Aclose(attribute);
  };
  const hsize_t one = 1, three = 3;
  const hid_t vector1 = H5Screate_simple(1, &one, nullptr), vector3 = H5Screate_simple(1, &three, nullptr), fixed = H5Tcopy(H5T_C_S1),
              enumeration = H5Tenum_create(H5T_NATIVE_INT8);
  const float f = 0.1f;
  const double d = 0.0554657600, big = 6371000;
  const int i3[3] = {1, -2, 3};
  const std::uint64_t u = ~std::uint64_t(0);
  const std::int8_t no = 0, yes = 1;
  H5Tset_size(fixed, 6), H5Tset_strpad(fixed, H5T_STR_SPACEPAD);
  H5Tenum_insert(enumeration, "FALSE", &no), H5Tenum_insert(enumeration, "TRUE", &yes);
  add("F", H5T_IEEE_F32BE, H5T_NATIVE_FLOAT, scalar, &f);
  add("D", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, vector1, &d);
  add("BIG", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, scalar, &big);
  add("I", H5T_STD_I16LE, H5T_NATIVE_INT, vector3, i3);
  add("U", H5T_STD_U64LE, H5T_NATIVE_UINT64, scalar, &u);
  add("S", fixed, fixed, scalar, "ab    ");
  add("B", enumeration, enumeration, scalar, &yes);
  add("REF", H5T_STD_REF_OBJ, H5T_STD_REF_OBJ, scalar, std::vector<char>(16).data());
  H5Fclose(raw);

  const Hdf5File file = Hdf5File::open(folder / "a.h5");
  CHECK(file.attributes() == std::map<std::string, std::string>{{"NAME", "twice"},
                                                                {"EMPTY", ""},
                                                                {"LONG", std::string(5000, 'x')},
                                                                {"F", "0.1"},
                                                                {"D", "0.05546576"},
                                                                {"BIG", "6371000"},
                                                                {"I", "[1 -2 3]"},
                                                                {"U", "18446744073709551615"},
                                                                {"S", "ab"},
                                                                {"B", "True"}});
  CHECK(file.attributes("date") == std::map<std::string, std::string>{{"UNIT", "m"}});
  CHECK(file.datasets() == std::vector<std::string>{"date", "deep/er/scalar"});
  CHECK(file.read_strings("date") == std::vector<std::string>{"20170101", "20170113", "short", ""});
  CHECK(file.info("date").item_size == 8);
  CHECK(file.contains("deep/er/scalar"));
  CHECK(file.contains("deep"));
  CHECK_FALSE(file.contains("deep/none/scalar"));
  CHECK_FALSE(file.contains(""));
  double value = 0;
  file.read("deep/er/scalar", {}, {}, ElementType::float64, &value);
  CHECK(value == 0.1);
  std::uint8_t truth = 0;
  file.read("deep/er/scalar", {}, {}, ElementType::boolean, &truth);
  CHECK(truth == 1);
  CHECK(message_of([&] { file.info("dates"); }).find("date, deep/er/scalar") != std::string::npos);
  CHECK_THROWS_AS(file.read("date", std::vector<std::size_t>{0, 0}, std::vector<std::size_t>{3, 2}, ElementType::float32, nullptr), ShapeError);
  CHECK_THROWS_AS(RowReader(file, "date", {0}), InvalidArgument);
}

TEST_CASE("what cannot be opened says why", "[files]") {
  const Folder folder;
  CHECK(message_of([&] { Hdf5File::open(folder / "none.h5"); }).find("No such file") != std::string::npos);
  CHECK(message_of([&] { Hdf5File::open(folder.path.string()); }).find("directory") != std::string::npos);
  std::ofstream(folder / "text.h5") << "not at all";
  CHECK(message_of([&] { Hdf5File::open(folder / "text.h5"); }).find("no HDF5 signature") != std::string::npos);
  std::ofstream(folder / "empty.h5").flush();
  CHECK(message_of([&] { Hdf5File::open(folder / "empty.h5"); }).find("empty") != std::string::npos);
  CHECK(message_of([&] { Hdf5File::create(folder / "no/such.h5"); }).find("cannot be created") != std::string::npos);
  Hdf5File closed = Hdf5File::create(folder / "c.h5");
  closed.close();
  closed.close();
  CHECK_THROWS_AS(closed.datasets(), FileError);
}

TEST_CASE("truncated and damaged files give a FileError at every length", "[files]") {
  const Folder folder;
  const auto data = cube<float>(N, L, W);
  for (int kind = 0; kind < 4; ++kind) {
    CreateOptions options;
    if (kind > 0) options.chunk = {3, 6, 8};
    if (kind > 1) options.compression = kind == 2 ? Compression::gzip : Compression::lzf;
    make(folder / "f.h5", ElementType::float32, data.data(), options);
    const std::string bytes = contents(folder / "f.h5");
    std::vector<float> out(N * L * W);
    std::size_t opened = 0;
    const auto attempt = [&](const std::string& damaged) {
      std::ofstream(folder / "t.h5", std::ios::binary) << damaged;
      try {
        RowReader(Hdf5File::open(folder / "t.h5"), "d", {0, 1, 2, 3, 4, 5, 6}).read(0, L, out.data(), L * W);
        ++opened;
      } catch (const Error&) {
      }
    };
    for (std::size_t n = 0; n < bytes.size(); n += 1 + bytes.size() / 150) attempt(bytes.substr(0, n));
    CHECK(opened == 0);
    for (std::size_t i = 0; i < bytes.size(); i += 1 + bytes.size() / 400) {  // flipped bytes may go unnoticed, but never crash
      std::string flipped = bytes;
      flipped[i] = char(~flipped[i]);
      attempt(flipped);
    }
  }
  // Truncated after it was opened.
  make(folder / "f.h5", ElementType::float32, data.data(), {});
  const RowReader reader(Hdf5File::open(folder / "f.h5"), "d", {6});
  fs::resize_file(folder / "f.h5", 3000);
  std::vector<float> out(L * W);
  CHECK(message_of([&] { reader.read(0, L, out.data(), L * W); }).find("end of the file") != std::string::npos);
  // A chunk that is not what it says.
  hid_t list = chunked(N, L, W);
  H5Pset_deflate(list, 4);
  make_plain(folder / "bad.h5", H5T_IEEE_F32LE, list, [](hid_t dataset) {
    const hsize_t at[3] = {0, 0, 0};
    H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, at, 10, "0123456789");
  });
  CHECK(message_of([&] {
          RowReader(Hdf5File::open(folder / "bad.h5"), "d", {0}).read(0, L, out.data(), L * W);
        }).find("bad.h5: d: chunk at (0, 0, 0)") != std::string::npos);
}

TEST_CASE("products hold what was written, under their final names only after commit", "[files]") {
  const Folder folder;
  ProductSet set = ProductSet::create_or_resume(two_products(folder), "run", 4);
  CHECK_FALSE(set.complete());
  CHECK(set.finished().empty());
  CHECK(message_of([&] { ProductSet::create_or_resume(two_products(folder), "run", 4); }).find("another run") != std::string::npos);
  std::vector<std::thread> threads;
  for (std::size_t b = 0; b < 3; ++b) threads.emplace_back([&, b] { write_block(set, b); });
  for (auto& thread : threads) thread.join();
  CHECK_THROWS_AS(set.commit(), InvalidArgument);
  CHECK_FALSE(fs::exists(folder / "ts.h5"));
  write_block(set, 3);
  set.write_pixel(0, "timeseries", 1, 4, 2, 122.f);
  CHECK_THROWS_AS(set.write_pixel(0, "timeseries", 3, 0, 0, 0.f), ShapeError);
  CHECK_THROWS_AS(set.write_rows(0, "bperp", 0, 1, nullptr, 0), InvalidArgument);
  CHECK_THROWS_AS(set.write_rows(0, "timeseries", 7, 9, nullptr, 0), ShapeError);
  set.commit();
  CHECK(set.complete());
  check_products(folder);
}

TEST_CASE("a killed run resumes, another identity starts afresh", "[files]") {
  const Folder folder;
  REQUIRE(in_child([&] {
            ProductSet set = ProductSet::create_or_resume(two_products(folder), "run", 4);
            write_block(set, 0);
            write_block(set, 2);
            ::raise(SIGKILL);
          }) == SIGKILL);
  std::ofstream(folder / ".ts.h5.journal", std::ios::app) << "block 1";  // torn line: does not count
  {
    ProductSet set = ProductSet::create_or_resume(two_products(folder), "run", 4);
    REQUIRE(set.finished().size() == 2);
    CHECK(set.finished()[1].block == 2);
    CHECK(set.finished()[1].note == "note\n2");
    write_block(set, 1);
  }
  {
    ProductSet set = ProductSet::create_or_resume(two_products(folder), "run", 4);
    REQUIRE(set.finished().size() == 3);
    write_block(set, 3);
    set.commit();
  }
  check_products(folder);

  {
    ProductSet set = ProductSet::create_or_resume(two_products(folder), "run", 4);
    write_block(set, 0);
  }
  CHECK(ProductSet::create_or_resume(two_products(folder), "other", 4).finished().empty());
  {
    ProductSet set = ProductSet::create_or_resume(two_products(folder), "other", 4);
    write_block(set, 0);
  }
  CHECK(ProductSet::create_or_resume(two_products(folder), "other", 8).finished().empty());
  {
    ProductSet set = ProductSet::create_or_resume(two_products(folder), "other", 8);
    write_block(set, 0);
  }
  fs::resize_file(folder / ".status.h5.partial", 100);
  ProductSet set = ProductSet::create_or_resume(two_products(folder), "other", 8);
  CHECK(set.finished().empty());
  set.discard();
  CHECK(fs::exists(folder / "ts.h5"));
  CHECK_FALSE(fs::exists(folder / ".ts.h5.partial"));
  CHECK_FALSE(fs::exists(folder / ".ts.h5.journal"));
}

TEST_CASE("a run killed between its renames is completed", "[files]") {
  const Folder folder;
  {
    ProductSet set = ProductSet::create_or_resume(two_products(folder), "run", 4);
    for (std::size_t b = 0; b < 4; ++b) write_block(set, b);
  }
  std::ofstream(folder / ".ts.h5.journal", std::ios::app) << "complete\n";
  fs::rename(folder / ".ts.h5.partial", folder / "ts.h5");
  const ProductSet set = ProductSet::create_or_resume(two_products(folder), "run", 4);
  CHECK(set.complete());
  CHECK(set.finished().size() == 4);
  check_products(folder);
}

TEST_CASE("a full disk is called that, and leaves nothing behind", "[files]") {
  const Folder folder;
  const auto limited = [&](const std::function<void()>& act) {
    return in_child([&] {
      ::signal(SIGXFSZ, SIG_IGN);
      act();
    });
  };
  const auto limit = [](rlim_t bytes) {
    const rlimit size{bytes, bytes};
    ::setrlimit(RLIMIT_FSIZE, &size);
  };
  std::vector<Product> large{{folder / "large.h5", {}, {{"timeseries", ElementType::float32, {4, 300, 300}, {}, {}}}}};
  CHECK(limited([&] {
          limit(100000);
          const std::string message = message_of([&] { ProductSet::create_or_resume(large, "run", 1); });
          if (message.empty()) ::_exit(1);
          std::ofstream(folder / "message") << message;
        }) == 0);
  CHECK_FALSE(fs::exists(folder / ".large.h5.partial"));
  CHECK(contents(folder / "message").find("large.h5") != std::string::npos);
  CHECK(limited([&] {
          ProductSet set = ProductSet::create_or_resume(large, "run", 1);
          limit(100000);
          const std::vector<float> rows(4 * 300 * 300);
          const std::string message = message_of([&] { set.write_rows(0, "timeseries", 0, 300, rows.data(), 90000); });
          ::_exit(message.find("may not grow so large") == std::string::npos);
        }) == 0);
}

TEST_CASE("products with bad shapes or names are refused", "[files]") {
  const Folder folder;
  auto products = two_products(folder);
  products[1].path = products[0].path;
  CHECK_THROWS_AS(ProductSet::create_or_resume(products, "", 1), InvalidArgument);
  CHECK_THROWS_AS(ProductSet::create_or_resume({}, "", 1), InvalidArgument);
  CHECK_THROWS_AS(ProductSet::create_or_resume({{folder / "x.h5", {}, {{"d", ElementType::float32, {0, 3}, {}, {}}}}}, "", 1), ShapeError);
  CHECK_THROWS_AS(ProductSet::create_or_resume({{folder / "no/x.h5", {}, {{"d", ElementType::float32, {2, 3}, {}, {}}}}}, "", 1), FileError);
}

TEST_CASE("readers say what decoding takes, and any number of workers reads the same", "[files]") {
  const Folder folder;
  CreateOptions options;
  make(folder / "plain.h5", ElementType::float32, cube<float>(N, L, W).data(), options);
  CHECK(RowReader(Hdf5File::open(folder / "plain.h5"), "d", {0}).scratch_bytes() == 0);
  options.chunk = {3, 4, 8}, options.compression = Compression::gzip, options.shuffle = true;
  make(folder / "f.h5", ElementType::float32, cube<float>(N, L, W).data(), options);
  const RowReader reader(Hdf5File::open(folder / "f.h5"), "d", {0, 1, 2, 3, 4, 5, 6});
  CHECK(reader.scratch_bytes() >= 2 * 3 * 4 * 8 * sizeof(float));
  std::vector<float> all(7 * L * W), some(all.size());
  reader.read(0, L, all.data(), L * W);
  for (int workers : {1, 2, 100}) {
    std::fill(some.begin(), some.end(), -1.f);
    reader.read(0, L, some.data(), L * W, workers);
    CHECK(some == all);
  }
}
