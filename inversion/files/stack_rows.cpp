#include <lopsar/inversion/files/stack_rows.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <new>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libdeflate.h>
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>

extern "C" {
#include <liblzf/lzf.h>
}

#include <lopsar/inversion/files/hdf5_handle.hpp>

namespace lopsar::files {
namespace {

// Finding one chunk's address walks all of them, so a table of many is dearer than reading through the library.
constexpr hsize_t most_addresses = 4096;

// `place`: bytes at `address` hold what is wanted; `decode`: chunks are fetched raw and decoded here; `library`: HDF5 converts.
enum class Way { place, decode, library };

using Index = std::array<std::size_t, 3>;

template <class T>
void convert_as(const std::byte* in, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i) {
    T value;
    std::memcpy(&value, in + i * sizeof(T), sizeof(T));
    out[i] = static_cast<float>(value);
  }
}

void convert(ElementType type, const std::byte* in, std::size_t n, float* out) {
  switch (type) {
    case ElementType::float32: std::memcpy(out, in, n * sizeof(float)); break;
    case ElementType::float64: convert_as<double>(in, n, out); break;
    case ElementType::int8: convert_as<std::int8_t>(in, n, out); break;
    case ElementType::int16: convert_as<std::int16_t>(in, n, out); break;
    case ElementType::int32: convert_as<std::int32_t>(in, n, out); break;
    case ElementType::int64: convert_as<std::int64_t>(in, n, out); break;
    case ElementType::uint16: convert_as<std::uint16_t>(in, n, out); break;
    case ElementType::uint32: convert_as<std::uint32_t>(in, n, out); break;
    case ElementType::uint64: convert_as<std::uint64_t>(in, n, out); break;
    default: convert_as<std::uint8_t>(in, n, out);
  }
}

template <std::size_t Item>
void unshuffle_as(const std::byte* in, std::size_t n, std::byte* out) {
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t b = 0; b < Item; ++b) out[i * Item + b] = in[b * n + i];
}

void unshuffle(const std::byte* in, std::size_t bytes, std::size_t item, std::byte* out) {
  switch (item) {
    case 2: unshuffle_as<2>(in, bytes / 2, out); break;
    case 4: unshuffle_as<4>(in, bytes / 4, out); break;
    case 8: unshuffle_as<8>(in, bytes / 8, out); break;
    default: std::memcpy(out, in, bytes);
  }
}

// Pages of their own, which go back to the system with the buffer whatever the allocator keeps. Of `capacity` from the first use on:
// pages that are never touched cost nothing.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { release(); }

  std::byte* room(std::size_t bytes, std::size_t capacity) {
    if (bytes > size_) {
      release();
      const std::size_t size = std::max(bytes, capacity);
      void* pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (pages == MAP_FAILED) throw std::bad_alloc();
      data_ = static_cast<std::byte*>(pages);
      size_ = size;
    }
    return data_;
  }

 private:
  void release() {
    if (data_) ::munmap(data_, size_);
    data_ = nullptr, size_ = 0;
  }
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Of one worker during one read. A filter reads one buffer and writes the other.
struct Scratch {
  Buffer buffer[2];
  std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> inflate{libdeflate_alloc_decompressor(), libdeflate_free_decompressor};
};

constexpr std::size_t piece_bytes = std::size_t(1) << 20;  // of Way::place, read at once where it is converted

struct Descriptor {
  int fd = -1;
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

struct RowReader::Impl {
  struct Wanted {
    std::size_t slice, row;
  };  // slice of the file, row of the output

  Hdf5File file;
  std::string name;
  std::vector<std::size_t> slices;
  Handle dataset;
  DatasetInfo info;
  Index shape{1, 1, 1}, chunk{1, 1, 1}, chunks{1, 1, 1};
  std::size_t item = 0, chunk_bytes = 0, stored = 0, file_bytes = 0;
  Way way = Way::library;
  float fill = 0;
  std::vector<int> filters;
  Descriptor descriptor;
  std::vector<haddr_t> addresses;                                   // Way::place, by chunk
  std::vector<std::pair<std::size_t, std::vector<Wanted>>> wanted;  // by chunk along the first axis, those with a wanted slice

  Impl(const Hdf5File& source, std::string dataset_name, std::vector<std::size_t> which)
      : file(source), name(std::move(dataset_name)), slices(std::move(which)) {
    LibraryLock lock;
    dataset = open_dataset(file, name);
    info = file.info(name);
    describe();
    choose_way();
    std::map<std::size_t, std::vector<Wanted>> by_chunk;
    for (std::size_t i = 0; i < slices.size(); ++i) by_chunk[slices[i] / chunk[0]].push_back({slices[i], i});
    wanted.assign(by_chunk.begin(), by_chunk.end());
  }

  [[noreturn]] void damaged(const Index& at, const std::string& what) const {
    fail(file.path(), name,
         "chunk at (" + std::to_string(at[0]) + ", " + std::to_string(at[1]) + ", " + std::to_string(at[2]) + ") " + what +
             ": the file is truncated or damaged, make it again");
  }

  std::size_t lead() const { return 3 - info.shape.size(); }  // axes that a 2-D dataset lacks

  void describe() {
    const std::size_t rank = info.shape.size();
    if (rank != 2 && rank != 3)
      throw ShapeError(file.path() + ": " + name + ": expected (slices, length, width) or (length, width), got " + std::to_string(rank) + " axes");
    std::copy(info.shape.begin(), info.shape.end(), shape.begin() + std::ptrdiff_t(lead()));
    chunk = shape;
    if (!info.chunk.empty()) {
      std::copy(info.chunk.begin(), info.chunk.end(), chunk.begin() + std::ptrdiff_t(lead()));
    }
    item = info.item_size;
    chunk_bytes = item;
    std::size_t all = sizeof(double);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (shape[axis] == 0) throw ShapeError(file.path() + ": " + name + ": expected at least one pixel, got an axis of length 0");
      if (chunk[axis] == 0) fail(file.path(), name, "has a chunk of length 0: the file is damaged");
      chunks[axis] = (shape[axis] - 1) / chunk[axis] + 1;
      chunk_bytes = checked_product(chunk_bytes, chunk[axis], file.path(), name);
      all = checked_product(all, shape[axis], file.path(), name);
    }
    for (std::size_t slice : slices)
      if (slice >= shape[0])
        throw InvalidArgument(file.path() + ": " + name + ": expected slices below " + std::to_string(shape[0]) + ", got " + std::to_string(slice));
    stored = std::size_t(H5Dget_storage_size(dataset));
    hsize_t bytes = 0;
    H5Fget_filesize(file.id(), &bytes);
    file_bytes = std::size_t(bytes);
  }

  void choose_way() {
    const Handle type(H5Dget_type(dataset), H5Tclose), list(H5Dget_create_plist(dataset), H5Pclose);
    const H5T_class_t kind = H5Tget_class(type);
    if (kind != H5T_INTEGER && kind != H5T_FLOAT && kind != H5T_ENUM)
      throw InvalidArgument(file.path() + ": " + name + ": expected a numeric dataset, got strings or compounds: name another dataset");
    H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
    H5Pfill_value_defined(list, &defined);
    if (defined == H5D_FILL_VALUE_USER_DEFINED && kind != H5T_ENUM && H5Pget_fill_value(list, H5T_NATIVE_FLOAT, &fill) < 0) fill = 0;

    if (file.writable() || !plain(type, kind)) return;  // a file being written has bytes that only the library knows
    H5D_space_status_t status = H5D_SPACE_STATUS_NOT_ALLOCATED;
    if (H5Dget_space_status(dataset, &status) < 0 || status == H5D_SPACE_STATUS_NOT_ALLOCATED) return;  // only fill values
    const H5D_layout_t layout = H5Pget_layout(list);
    if (layout == H5D_CONTIGUOUS && H5Pget_external_count(list) == 0) {
      const haddr_t address = H5Dget_offset(dataset);
      if (address == HADDR_UNDEF) return;
      addresses = {address};
      open_descriptor();
    } else if (layout == H5D_CHUNKED && known_filters(list)) {
      way = Way::decode;
      hsize_t count = 0;
      const Handle space(H5Dget_space(dataset), H5Sclose);
      const bool few = chunks[0] <= most_addresses && chunks[0] * chunks[1] <= most_addresses && chunks[0] * chunks[1] * chunks[2] <= most_addresses;
      if (filters.empty() && few && H5Dget_num_chunks(dataset, space, &count) >= 0 && find_addresses()) open_descriptor();
    }
    if (way == Way::decode && chunk_bytes > (std::size_t(1) << 32))
      fail(file.path(), name, "expected chunks below 4 GiB, got " + std::to_string(chunk_bytes) + " bytes: the file is damaged");
  }

  bool plain(hid_t type, H5T_class_t kind) const {
    if (kind == H5T_ENUM) return info.type == ElementType::boolean;
    using enum ElementType;
    switch (info.type) {
      case float32: return H5Tequal(type, H5T_IEEE_F32LE) > 0;
      case float64: return H5Tequal(type, H5T_IEEE_F64LE) > 0;
      case int8: return H5Tequal(type, H5T_STD_I8LE) > 0;
      case int16: return H5Tequal(type, H5T_STD_I16LE) > 0;
      case int32: return H5Tequal(type, H5T_STD_I32LE) > 0;
      case int64: return H5Tequal(type, H5T_STD_I64LE) > 0;
      case uint8: return H5Tequal(type, H5T_STD_U8LE) > 0;
      case uint16: return H5Tequal(type, H5T_STD_U16LE) > 0;
      case uint32: return H5Tequal(type, H5T_STD_U32LE) > 0;
      case uint64: return H5Tequal(type, H5T_STD_U64LE) > 0;
      default: return false;
    }
  }

  bool known_filters(hid_t list) {
    unsigned edge = 0;
    if (H5Pget_chunk_opts(list, &edge) < 0 || edge != 0) return false;  // unfiltered edge chunks leave no trace in the filter mask
    int codecs = 0;
    for (int i = 0, n = H5Pget_nfilters(list); i < n; ++i) {
      unsigned flags = 0, config = 0;
      std::size_t n_cd = 0;
      const int filter = H5Pget_filter2(list, unsigned(i), &flags, &n_cd, nullptr, 0, nullptr, &config);
      if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_DEFLATE && filter != lzf_filter) return false;
      codecs += filter != H5Z_FILTER_SHUFFLE;
      filters.push_back(filter);
    }
    return codecs <= 1;  // only then is the decoded size of every step known
  }

  bool find_addresses() {
    for (std::size_t k = 0; k < chunks[0]; ++k)
      for (std::size_t i = 0; i < chunks[1]; ++i)
        for (std::size_t j = 0; j < chunks[2]; ++j) {
          const hsize_t at[3] = {k * chunk[0], i * chunk[1], j * chunk[2]};
          unsigned mask = 0;
          haddr_t address = HADDR_UNDEF;
          hsize_t bytes = 0;
          if (H5Dget_chunk_info_by_coord(dataset, at + lead(), &mask, &address, &bytes) < 0) return false;
          if (address != HADDR_UNDEF && bytes != chunk_bytes)
            damaged({at[0], at[1], at[2]}, "should take " + std::to_string(chunk_bytes) + " bytes and takes " + std::to_string(bytes));
          addresses.push_back(address);
        }
    return true;
  }

  void open_descriptor() {
    descriptor.fd = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor.fd < 0) fail(file.path(), name, std::string("cannot be opened: ") + std::strerror(errno));
    for (const haddr_t address : addresses)
      if (address != HADDR_UNDEF && (address > file_bytes || chunk_bytes > file_bytes - address))
        fail(file.path(), name,
             "expected " + std::to_string(chunk_bytes) + " bytes at " + std::to_string(address) + ", got a file of " + std::to_string(file_bytes) +
                 " bytes: it is truncated, make it again");
    way = Way::place;
  }

  void read_bytes(std::byte* to, std::size_t bytes, std::size_t at) const {
    while (bytes) {
      const ssize_t got = ::pread(descriptor.fd, to, bytes, off_t(at));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0)
        fail(file.path(), name,
             "expected " + std::to_string(bytes) + " more bytes at " + std::to_string(at) + ", got " +
                 (got ? std::strerror(errno) : "the end of the file") + ": it may have been truncated while being read");
      to += got, bytes -= std::size_t(got), at += std::size_t(got);
    }
  }

  // Rows [first, last) of the file that lie in the chunk row `i` and in the block.
  struct Rows {
    std::size_t first, last;
  };
  Rows rows_in(std::size_t i, std::size_t row0, std::size_t row1) const {
    return {std::max(row0, i * chunk[1]), std::min({row1, (i + 1) * chunk[1], shape[1]})};
  }

  struct Block {
    std::size_t row0, row1;
    float* out;
    std::size_t stride;
  };

  // Copies rows of one slice, `in` being the first of them at the chunk's first column, to their place in the output.
  void scatter(const std::byte* in, Rows rows, std::size_t j, std::size_t row, const Block& block) const {
    const std::size_t column = j * chunk[2], n = std::min(chunk[2], shape[2] - column);
    float* out = block.out + row * block.stride + (rows.first - block.row0) * shape[2] + column;
    for (std::size_t y = rows.first; y < rows.last; ++y, in += chunk[2] * item, out += shape[2]) convert(info.type, in, n, out);
  }

  void scatter_fill(Rows rows, std::size_t j, std::size_t row, const Block& block) const {
    const std::size_t column = j * chunk[2], n = std::min(chunk[2], shape[2] - column);
    for (std::size_t y = rows.first; y < rows.last; ++y) std::fill_n(block.out + row * block.stride + (y - block.row0) * shape[2] + column, n, fill);
  }

  bool direct() const { return info.type == ElementType::float32 && chunk[2] == shape[2]; }

  // A raw chunk; deflate makes what it cannot shrink a little longer.
  std::size_t raw_bytes() const { return filters.empty() ? chunk_bytes : chunk_bytes + chunk_bytes / 64 + 65536; }

  std::size_t scratch_bytes() const {
    switch (way) {
      case Way::place: return direct() ? 0 : std::max(piece_bytes, chunk[2] * item);
      case Way::decode: return filters.empty() ? chunk_bytes : 2 * raw_bytes();
      case Way::library: break;
    }
    // HDF5 holds a chunk that its cache of 1 MiB cannot, before and after a filter.
    return (std::size_t(4) << 20) + (info.chunk.empty() ? 0 : 2 * chunk_bytes);
  }

  void place(Scratch& scratch, Wanted want, std::size_t i, std::size_t j, const Block& block) const {
    const haddr_t address = addresses[((want.slice / chunk[0]) * chunks[1] + i) * chunks[2] + j];
    const Rows rows = rows_in(i, block.row0, block.row1);
    if (address == HADDR_UNDEF) return scatter_fill(rows, j, want.row, block);
    const std::size_t row_bytes = chunk[2] * item;
    const auto at = [&](std::size_t row) { return address + ((want.slice % chunk[0]) * chunk[1] + row % chunk[1]) * row_bytes; };
    if (direct()) {
      float* out = block.out + want.row * block.stride + (rows.first - block.row0) * shape[2];
      return read_bytes(reinterpret_cast<std::byte*>(out), (rows.last - rows.first) * row_bytes, at(rows.first));
    }
    const std::size_t step = std::max<std::size_t>(1, piece_bytes / row_bytes);
    for (std::size_t row = rows.first; row < rows.last; row += step) {
      const Rows piece{row, std::min(row + step, rows.last)};
      const std::size_t bytes = (piece.last - piece.first) * row_bytes;
      std::byte* raw = scratch.buffer[0].room(bytes, bytes);
      read_bytes(raw, bytes, at(row));
      scatter(raw, piece, j, want.row, block);
    }
  }

  void decode(Scratch& scratch, std::size_t k, const std::vector<Wanted>& wants, std::size_t i, std::size_t j, const Block& block) const {
    const Rows rows = rows_in(i, block.row0, block.row1);
    const Index at{k * chunk[0], i * chunk[1], j * chunk[2]};
    const std::byte* bytes = fetch(scratch, at);
    for (const Wanted& want : wants) {
      if (!bytes) scatter_fill(rows, j, want.row, block);
      else scatter(bytes + (((want.slice % chunk[0]) * chunk[1] + rows.first % chunk[1]) * chunk[2]) * item, rows, j, want.row, block);
    }
  }

  // An absent chunk is an error to some versions; asking in the documented way walks all chunks, so the message goes first.
  bool absent(const hsize_t* offset, const std::string& reason) const {
    if (reason.find("chunk storage is not allocated") != std::string::npos) return true;
    unsigned mask = 0;
    haddr_t address = 0;
    hsize_t size = 0;
    return H5Dget_chunk_info_by_coord(dataset, offset, &mask, &address, &size) >= 0 && address == HADDR_UNDEF;
  }

  // The decoded chunk, in the scratch; null where the file has none.
  const std::byte* fetch(Scratch& mine, const Index& at) const {
    const std::size_t capacity = raw_bytes();
    std::byte* bytes = nullptr;
    std::size_t turn = 0;
    const hsize_t offset[3] = {at[0], at[1], at[2]};
    std::uint32_t mask = 0;
    hsize_t size = 0;
    {
      LibraryLock lock;
      if (H5Dget_chunk_storage_size(dataset, offset + lead(), &size) < 0) {
        const std::string reason = library_error();
        if (!absent(offset + lead(), reason)) damaged(at, "cannot be found (" + reason + ")");
        size = 0;
      }
      if (size == 0) return nullptr;
      if (size > 2 * chunk_bytes + 65536 || size > file_bytes)
        damaged(at, "claims " + std::to_string(size) + " bytes for " + std::to_string(chunk_bytes) + " decoded ones");
      bytes = mine.buffer[0].room(size, capacity);
      if (H5Dread_chunk(dataset, H5P_DEFAULT, offset + lead(), &mask, bytes) < 0) damaged(at, "cannot be read (" + library_error() + ")");
    }
    for (std::size_t f = filters.size(); f-- > 0;) {
      if (mask >> f & 1) continue;
      if (filters[f] == H5Z_FILTER_SHUFFLE) {
        if (size != chunk_bytes) damaged(at, "decodes to " + std::to_string(size) + " bytes instead of " + std::to_string(chunk_bytes));
        std::byte* out = mine.buffer[turn ^= 1].room(chunk_bytes, capacity);
        unshuffle(bytes, chunk_bytes, item, out);
        bytes = out;
        continue;
      }
      std::byte* out = mine.buffer[turn ^= 1].room(chunk_bytes, capacity);
      std::size_t made = 0;
      if (filters[f] == lzf_filter) made = lzf_decompress(bytes, unsigned(size), out, unsigned(chunk_bytes));
      else if (libdeflate_zlib_decompress(mine.inflate.get(), bytes, size, out, chunk_bytes, &made) != LIBDEFLATE_SUCCESS) made = 0;
      if (made != chunk_bytes)
        damaged(at, std::string("does not decode as ") + (filters[f] == lzf_filter ? "lzf" : "gzip") + " to its " + std::to_string(chunk_bytes) +
                        " bytes");
      bytes = out;
      size = made;
    }
    if (size != chunk_bytes) damaged(at, "holds " + std::to_string(size) + " bytes instead of " + std::to_string(chunk_bytes));
    return bytes;
  }

  // One call per run of consecutive slices.
  void read_through_library(const Block& block) const {
    LibraryLock lock;
    const Handle space(H5Dget_space(dataset), H5Sclose);
    const std::size_t rows = block.row1 - block.row0;
    for (std::size_t i = 0, n = 1; i < slices.size(); i += n) {
      for (n = 1; i + n < slices.size() && slices[i + n] == slices[i] + n;) ++n;
      const hsize_t start[3] = {slices[i], block.row0, 0}, count[3] = {n, rows, shape[2]};
      const hsize_t zero[2] = {0, 0}, room[2] = {n, block.stride}, used[2] = {n, rows * shape[2]};
      const Handle memory(H5Screate_simple(2, room, nullptr), H5Sclose);
      const bool ok = H5Sselect_hyperslab(space, H5S_SELECT_SET, start + lead(), nullptr, count + lead(), nullptr) >= 0 &&
                      H5Sselect_hyperslab(memory, H5S_SELECT_SET, zero, nullptr, used, nullptr) >= 0 &&
                      H5Dread(dataset, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, block.out + i * block.stride) >= 0;
      if (!ok)
        fail(file.path(), name,
             "rows " + std::to_string(block.row0) + " to " + std::to_string(block.row1) + " cannot be read (" + library_error() + ")");
    }
  }

  void read(const Block& block, int workers) const {
    if (way == Way::library) return read_through_library(block);
    const std::size_t i0 = block.row0 / chunk[1], ni = (block.row1 - 1) / chunk[1] + 1 - i0;
    const std::size_t nk = way == Way::place ? slices.size() : wanted.size(), tasks = nk * ni * chunks[2];
    const int all = tbb::this_task_arena::max_concurrency();
    const std::size_t used = std::min(tasks, static_cast<std::size_t>(workers > 0 ? std::min(workers, all) : all));
    const std::size_t batch = std::max<std::size_t>(1, tasks / used / 8);  // neighbours, whose output is on the same pages
    std::atomic<std::size_t> next{0};
    // Each worker takes chunk after chunk, so that there is scratch for no more than that many.
    const auto work = [&](std::size_t) {
      Scratch scratch;
      try {
        for (std::size_t first; (first = next.fetch_add(batch)) < tasks;)
          for (std::size_t task = first; task < std::min(first + batch, tasks); ++task) {
            const std::size_t j = task % chunks[2], i = i0 + task / chunks[2] % ni, k = task / chunks[2] / ni;
            if (way == Way::place) place(scratch, {slices[k], k}, i, j, block);
            else decode(scratch, wanted[k].first, wanted[k].second, i, j, block);
          }
      } catch (...) {
        next = tasks;
        throw;
      }
    };
    // Isolated: while waiting for its chunks this thread takes no other task of an outer pipeline, whose locks it could meet again.
    tbb::this_task_arena::isolate([&] { tbb::parallel_for(std::size_t(0), used, work, tbb::simple_partitioner{}); });
  }
};

RowReader::RowReader(const Hdf5File& file, const std::string& dataset, std::vector<std::size_t> slices)
    : impl_(std::make_shared<const Impl>(file, dataset, std::move(slices))) {}

std::size_t RowReader::slices() const { return impl_->slices.size(); }
std::size_t RowReader::length() const { return impl_->shape[1]; }
std::size_t RowReader::width() const { return impl_->shape[2]; }
std::size_t RowReader::stored_bytes() const { return impl_->stored; }
std::size_t RowReader::scratch_bytes() const { return impl_->scratch_bytes(); }
const std::string& RowReader::codec() const { return impl_->info.compression; }

std::size_t RowReader::chunk_rows() const {
  const bool any_row = impl_->info.chunk.empty() || (impl_->way == Way::place && impl_->chunks[1] == 1);
  return any_row ? 1 : std::min(impl_->chunk[1], impl_->shape[1]);
}

void RowReader::read(std::size_t row0, std::size_t row1, float* out, std::size_t out_stride, int workers) const {
  const Impl& impl = *impl_;
  if (row0 > row1 || row1 > length())
    throw ShapeError(impl.file.path() + ": " + impl.name + ": expected rows within 0 to " + std::to_string(length()) + ", got " +
                     std::to_string(row0) + " to " + std::to_string(row1));
  if (slices() > 1 && out_stride < (row1 - row0) * width())
    throw ShapeError(impl.name + ": expected an output stride of at least " + std::to_string((row1 - row0) * width()) + ", got " +
                     std::to_string(out_stride));
  if (row0 == row1 || slices() == 0) return;
  impl.read({row0, row1, out, std::max(out_stride, (row1 - row0) * width())}, workers);
}

}  // namespace lopsar::files
