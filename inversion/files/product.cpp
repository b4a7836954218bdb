#include <lopsar/inversion/files/product.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <lopsar/inversion/files/hdf5_handle.hpp>

namespace lopsar::files {
namespace {

namespace fs = std::filesystem;

constexpr const char* journal_title = "lopsar journal 1";
constexpr std::size_t largest_chunk = std::size_t(1) << 31;  // HDF5 ends at 4 GiB

[[noreturn]] void system_failure(const std::string& path, const std::string& doing, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  fail(path, "",
       doing + " failed: " +
           (full ? "the disk is full (" + std::string(std::strerror(error)) + "); free some space, then run again"
            : error == EFBIG
                ? std::string("the file may not grow so large (") + std::strerror(error) + "); raise the limit (ulimit -f), then run again"
                : std::string(std::strerror(error))));
}

class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (fd_ < 0) system_failure(path, "opening", errno);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  operator int() const { return fd_; }

 private:
  int fd_ = -1;
};

std::string folder_of(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

std::string beside(const std::string& path, const char* ending) {
  std::string name(".");
  name += fs::path(path).filename().string();  // in steps: GCC 12 warns about its own operator+ here (its bug 105329)
  name += ending;
  return (fs::path(path).parent_path() / name).string();
}

// One line of text, whatever it holds.
std::string escape(const std::string& text) {
  std::string line;
  for (char c : text) line += c == '\\' ? "\\\\" : c == '\n' ? "\\n" : std::string(1, c);
  return line;
}

std::string unescape(std::string_view line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) text += line[i] == '\\' && i + 1 < line.size() ? (line[++i] == 'n' ? '\n' : line[i]) : line[i];
  return text;
}

void write_all(int fd, const std::string& path, const void* data, std::size_t bytes, off_t at) {
  for (auto from = static_cast<const char*>(data); bytes;) {
    const ssize_t done = ::pwrite(fd, from, bytes, at);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) system_failure(path, "writing", done ? errno : ENOSPC);
    from += done, at += done, bytes -= std::size_t(done);
  }
}

void sync(int fd, const std::string& path, bool only_data) {
  if (only_data ? ::fdatasync(fd) : ::fsync(fd)) system_failure(path, "writing to disk", errno);
}

void sync_folder(const std::string& folder) {
  const Descriptor fd(folder, O_RDONLY | O_DIRECTORY);
  if (::fsync(fd) && errno != EINVAL) system_failure(folder, "writing to disk", errno);  // some file systems cannot sync a folder
}

void lock_or_fail(int fd, const std::string& path) {
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return;
  if (errno == EWOULDBLOCK)
    fail(path, "", "expected to be the only run with this output, got a file that another run is writing: wait for it, or name another output");
  // File systems without locks (ENOLCK, EOPNOTSUPP) are used without this guard.
}

std::optional<std::size_t> file_size(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) || !S_ISREG(status.st_mode)) return std::nullopt;
  return std::size_t(status.st_size);
}

bool filled_by_rows(const ProductDataset& dataset) { return dataset.values.empty() && dataset.strings.empty(); }

// A dataset filled by rows, seen as (slices, length, width).
struct Rows {
  std::string name;
  ElementType type;
  std::size_t slices, length, width, item, chunk_rows;
  std::vector<haddr_t> addresses;  // (slices, chunks of a slice)

  explicit Rows(const ProductDataset& dataset) : name(dataset.name), type(dataset.type) {
    const auto& s = dataset.shape;
    slices = s.size() == 3 ? s[0] : 1;
    length = s[s.size() - 2], width = s[s.size() - 1];
    item = element_size(type);
    chunk_rows = std::clamp<std::size_t>(largest_chunk / (width * item), 1, length);
  }
  std::size_t chunks() const { return (length - 1) / chunk_rows + 1; }
  off_t address(std::size_t slice, std::size_t row) const {
    return off_t(addresses[slice * chunks() + row / chunk_rows] + row % chunk_rows * width * item);
  }
};

void check(const std::vector<Product>& products) {
  if (products.empty()) throw InvalidArgument("expected at least one product, got none");
  std::set<std::string> paths;
  for (const Product& product : products) {
    if (fs::path(product.path).filename().empty()) throw InvalidArgument("expected the name of an output file, got '" + product.path + "'");
    if (!paths.insert(fs::absolute(product.path).lexically_normal().string()).second)
      throw InvalidArgument("expected every product in a file of its own, got " + product.path + " twice");
    if (fs::is_directory(product.path)) fail(product.path, "", "expected the name of an output file, got a directory");
    for (const ProductDataset& dataset : product.datasets) {
      const std::string name = product.path + ": " + dataset.name;
      const auto& s = dataset.shape;
      const std::size_t n = std::accumulate(s.begin(), s.end(), std::size_t(1), std::multiplies<>());
      if (filled_by_rows(dataset)) {
        if ((s.size() != 2 && s.size() != 3) || n == 0)
          throw ShapeError(name + ": expected (length, width) or (slices, length, width) without zeros, got " + std::to_string(s.size()) + " axes");
        if (dataset.type != ElementType::float32 && dataset.type != ElementType::uint8)
          throw InvalidArgument(name + ": expected float32 or uint8 for a dataset filled by rows");
      } else if (std::max(dataset.values.size(), dataset.strings.size()) != n) {
        throw ShapeError(name + ": expected as many values as the shape holds (" + std::to_string(n) + "), got " +
                         std::to_string(std::max(dataset.values.size(), dataset.strings.size())));
      }
    }
  }
}

std::string describe(const std::vector<Product>& products, const std::string& identity, std::size_t n_blocks) {
  std::ostringstream text;
  text << identity << "\nblocks " << n_blocks;
  for (const Product& product : products) {
    text << "\nfile " << fs::path(product.path).filename().string();
    for (const auto& [key, value] : product.attributes) text << "\n" << key << "=" << value;
    for (const ProductDataset& dataset : product.datasets) {
      text << "\ndataset " << dataset.name << " " << int(dataset.type) << " (";
      for (std::size_t extent : dataset.shape) text << " " << extent;
      text << " )" << std::hexfloat;
      for (float value : dataset.values) text << " " << value;
      for (const std::string& value : dataset.strings) text << " " << value;
      for (const auto& [key, value] : dataset.attributes) text << "\n" << key << "=" << value;
    }
  }
  return text.str();
}

struct Journal {
  bool complete = false;
  std::vector<std::size_t> sizes;
  std::vector<FinishedBlock> blocks;
  std::size_t bytes = 0;  // up to the end of the last whole line
};

// What the journal says of this very run; nothing if it is of another one or was not begun.
std::optional<Journal> parse(const std::string& text, const std::string& identity, std::size_t n_files, std::size_t n_blocks) {
  Journal journal;
  bool begun = false;
  std::size_t line_number = 0;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1, ++line_number) {
    const std::string_view line(text.data() + at, end - at);
    if (line_number == 0) {
      if (line != journal_title) return std::nullopt;
    } else if (line_number == 1) {
      if (unescape(line) != identity) return std::nullopt;
    } else if (!begun) {
      begun = line == "begin";
      if (!begun) journal.sizes.push_back(std::strtoull(std::string(line).c_str(), nullptr, 10));
    } else if (line == "complete") {
      journal.complete = true;
    } else if (line.starts_with("block ")) {
      char* after = nullptr;
      const std::string rest(line.substr(6));
      const std::size_t block = std::strtoull(rest.c_str(), &after, 10);
      if (after == rest.c_str() || block >= n_blocks) return std::nullopt;
      journal.blocks.push_back({block, *after ? unescape(after + 1) : ""});
    }
    journal.bytes = end + 1;
  }
  if (!begun || journal.sizes.size() != n_files) return std::nullopt;
  return journal;
}

}  // namespace

struct ProductSet::Impl {
  struct File {
    Product product;
    std::string partial;
    std::size_t bytes = 0;
    std::vector<Rows> rows;
    Descriptor fd;
  };

  std::vector<File> files;
  std::string journal_path, identity;
  std::size_t n_blocks = 0;
  Descriptor journal;
  off_t journal_end = 0;
  std::vector<FinishedBlock> finished;
  bool complete = false, discarded = false;
  std::mutex mutex;  // journal and `finished`

  // The lock counts only while the journal that was locked is still the one under that name.
  void open_journal() {
    for (;;) {
      journal = Descriptor(journal_path, O_RDWR | O_CREAT);
      lock_or_fail(journal, journal_path);
      struct stat mine {
      }, named{};
      if (::fstat(journal, &mine) == 0 && ::stat(journal_path.c_str(), &named) == 0 && mine.st_ino == named.st_ino && mine.st_dev == named.st_dev)
        return;
    }
  }

  std::string journal_text() const {
    const std::size_t bytes = file_size(journal_path).value_or(0);
    std::string text(bytes, '\0');
    std::size_t have = 0;
    while (have < bytes) {
      const ssize_t got = ::pread(journal, text.data() + have, bytes - have, off_t(have));
      if (got < 0 && errno != EINTR) system_failure(journal_path, "reading", errno);
      if (got == 0) break;
      if (got > 0) have += std::size_t(got);
    }
    text.resize(have);
    return text;
  }

  void append(const std::string& line) {
    write_all(journal, journal_path, line.data(), line.size(), journal_end);
    sync(journal, journal_path, true);
    journal_end += off_t(line.size());
  }

  // True if the files are as this journal left them.
  bool stands(const Journal& found) const {
    for (std::size_t i = 0; i < files.size(); ++i) {
      const bool partial = file_size(files[i].partial) == found.sizes[i];
      if (!partial && !(found.complete && file_size(files[i].product.path) == found.sizes[i])) return false;
    }
    return true;
  }

  void start() {
    if (::ftruncate(journal, 0)) system_failure(journal_path, "emptying", errno);
    journal_end = 0;
    std::size_t needed = 0;
    for (const File& file : files)
      for (const Rows& rows : file.rows) needed += rows.slices * rows.chunks() * rows.chunk_rows * rows.width * rows.item;
    std::string header = std::string(journal_title) + "\n" + escape(identity) + "\n";
    try {
      for (File& file : files) {
        if (file_size(file.partial)) {  // left by a run that is over, or being written by one that is not
          lock_or_fail(Descriptor(file.partial, O_RDWR), file.partial);
          ::unlink(file.partial.c_str());
        }
        create(file);
        file.bytes = file_size(file.partial).value_or(0);
        attach(file);
        reserve(file, needed);
        sync(file.fd, file.partial, false);
        header += std::to_string(file.bytes) + "\n";
      }
      for (const File& file : files) sync_folder(folder_of(file.partial));
      append(header + "begin\n");
    } catch (...) {
      for (const File& file : files)
        if (file.bytes) ::unlink(file.partial.c_str());
      ::unlink(journal_path.c_str());
      throw;
    }
  }

  static void create(const File& file) {
    try {
      Hdf5File out = Hdf5File::create(file.partial);
      for (const auto& [key, value] : file.product.attributes) out.set_attribute(key, value);
      for (const ProductDataset& dataset : file.product.datasets) {
        const std::vector<std::size_t> origin(dataset.shape.size(), 0);
        if (!dataset.strings.empty()) {
          std::size_t longest = 1;
          for (const std::string& text : dataset.strings) longest = std::max(longest, text.size());
          CreateOptions options;
          options.string_size = longest;
          out.create_dataset(dataset.name, dataset.shape, ElementType::string, options);
          out.write_strings(dataset.name, dataset.strings);
        } else if (!dataset.values.empty()) {
          out.create_dataset(dataset.name, dataset.shape, ElementType::float32);
          out.write(dataset.name, origin, dataset.shape, ElementType::float32, dataset.values.data());
        } else {
          const Rows rows(dataset);
          CreateOptions options;
          options.chunk = {1, rows.chunk_rows, rows.width};
          if (dataset.shape.size() == 2) options.chunk.erase(options.chunk.begin());
          options.unlimited_first_axis = dataset.shape.size() == 3;
          options.early_allocation = true;
          out.create_dataset(dataset.name, dataset.shape, dataset.type, options);
        }
        for (const auto& [key, value] : dataset.attributes) out.set_attribute(key, value, dataset.name);
      }
      out.close();
    } catch (...) {
      ::unlink(file.partial.c_str());
      throw;
    }
  }

  // Finds where the rows lie, then opens the file for them. HDF5 has closed it by then: with locking switched on it would meet ours.
  static void attach(File& file) {
    {
      LibraryLock lock;
      const Hdf5File in = Hdf5File::open(file.partial);
      for (Rows& rows : file.rows) {
        const Handle dataset = open_dataset(in, rows.name);
        const std::size_t rank = dataset_shape(dataset).size();
        rows.addresses.clear();
        for (std::size_t slice = 0; slice < rows.slices; ++slice)
          for (std::size_t i = 0; i < rows.chunks(); ++i) {
            const hsize_t at[3] = {slice, i * rows.chunk_rows, 0};
            unsigned mask = 0;
            haddr_t address = HADDR_UNDEF;
            hsize_t bytes = 0;
            if (H5Dget_chunk_info_by_coord(dataset, at + (3 - rank), &mask, &address, &bytes) < 0)
              fail(file.partial, rows.name, "its chunks cannot be found (" + library_error() + ")");
            if (address == HADDR_UNDEF || address + bytes > file.bytes)
              fail(file.partial, rows.name, "expected every chunk to be allocated, got one that is not: remove the file and run again");
            rows.addresses.push_back(address);
          }
      }
    }
    file.fd = Descriptor(file.partial, O_RDWR);
    lock_or_fail(file.fd, file.partial);
  }

  static void reserve(const File& file, std::size_t needed) {
    if (::fallocate(file.fd, 0, 0, off_t(file.bytes)) == 0 || (errno != ENOSPC && errno != EDQUOT && errno != EFBIG)) return;
    const int error = errno;
    struct statvfs disk {};
    const std::string free =
        ::statvfs(folder_of(file.partial).c_str(), &disk) == 0 ? std::to_string(disk.f_bavail * disk.f_frsize) : "an unknown number of";
    system_failure(file.product.path,
                   "reserving " + std::to_string(file.bytes) + " bytes (" + std::to_string(needed) + " for all products; " + folder_of(file.partial) +
                       " has " + free + " free)",
                   error);
  }

  // Names first, folder second, journal last: whatever is interrupted can be done again.
  void rename_all() {
    std::set<std::string> folders;
    for (File& file : files) {
      if (file_size(file.partial) && ::rename(file.partial.c_str(), file.product.path.c_str()))
        system_failure(file.product.path, "renaming " + file.partial, errno);
      folders.insert(folder_of(file.partial));
    }
    for (const std::string& folder : folders) sync_folder(folder);
    if (::unlink(journal_path.c_str()) && errno != ENOENT) system_failure(journal_path, "removing", errno);
    sync_folder(folder_of(journal_path));
    complete = true;
    release();
  }

  void release() {
    for (File& file : files) file.fd = Descriptor();
    journal = Descriptor();
  }

  const Rows& find(std::size_t product, std::string_view dataset) const {
    if (complete || discarded)
      throw InvalidArgument("expected products that are being written, got ones that are already " +
                            std::string(complete ? "complete" : "discarded"));
    if (product >= files.size())
      throw InvalidArgument("expected a product below " + std::to_string(files.size()) + ", got " + std::to_string(product));
    for (const Rows& rows : files[product].rows)
      if (rows.name == dataset) return rows;
    throw InvalidArgument(files[product].product.path + ": expected the name of a dataset that is filled by rows, got '" + std::string(dataset) +
                          "'");
  }
};

ProductSet::ProductSet(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

ProductSet ProductSet::create_or_resume(std::vector<Product> products, const std::string& identity, std::size_t n_blocks) {
  check(products);
  auto impl = std::make_shared<Impl>();
  impl->journal_path = beside(products[0].path, ".journal");
  impl->identity = describe(products, identity, n_blocks);
  impl->n_blocks = n_blocks;
  for (Product& product : products) {
    Impl::File file;
    file.partial = beside(product.path, ".partial");
    for (const ProductDataset& dataset : product.datasets)
      if (filled_by_rows(dataset)) file.rows.emplace_back(dataset);
    file.product = std::move(product);
    impl->files.push_back(std::move(file));
  }
  impl->open_journal();
  const std::optional<Journal> found = parse(impl->journal_text(), impl->identity, impl->files.size(), n_blocks);
  if (!found || !impl->stands(*found)) {
    impl->start();
    return ProductSet(std::move(impl));
  }
  impl->finished = found->blocks;
  if (found->complete) {
    impl->rename_all();
    return ProductSet(std::move(impl));
  }
  impl->journal_end = off_t(found->bytes);
  if (::ftruncate(impl->journal, impl->journal_end)) system_failure(impl->journal_path, "shortening", errno);
  for (std::size_t i = 0; i < impl->files.size(); ++i) {
    impl->files[i].bytes = found->sizes[i];
    Impl::attach(impl->files[i]);
  }
  return ProductSet(std::move(impl));
}

const std::vector<FinishedBlock>& ProductSet::finished() const { return impl_->finished; }
bool ProductSet::complete() const { return impl_->complete; }

void ProductSet::write_rows(std::size_t product, std::string_view dataset, std::size_t row0, std::size_t row1, const void* data,
                            std::size_t slice_stride_elements) {
  const Rows& rows = impl_->find(product, dataset);
  const Impl::File& file = impl_->files[product];
  if (row0 > row1 || row1 > rows.length)
    throw ShapeError(file.product.path + ": " + rows.name + ": expected rows within 0 to " + std::to_string(rows.length) + ", got " +
                     std::to_string(row0) + " to " + std::to_string(row1));
  for (std::size_t slice = 0; slice < rows.slices; ++slice) {
    auto from = static_cast<const char*>(data) + slice * slice_stride_elements * rows.item;
    for (std::size_t row = row0, last; row < row1; row = last) {
      last = std::min(row1, (row / rows.chunk_rows + 1) * rows.chunk_rows);
      const std::size_t bytes = (last - row) * rows.width * rows.item;
      write_all(file.fd, file.partial, from, bytes, rows.address(slice, row));
      from += bytes;
    }
  }
}

void ProductSet::write_pixel(std::size_t product, std::string_view dataset, std::size_t slice, std::size_t row, std::size_t column, float value) {
  const Rows& rows = impl_->find(product, dataset);
  const Impl::File& file = impl_->files[product];
  if (slice >= rows.slices || row >= rows.length || column >= rows.width)
    throw ShapeError(file.product.path + ": " + rows.name + ": expected a pixel inside (" + std::to_string(rows.slices) + ", " +
                     std::to_string(rows.length) + ", " + std::to_string(rows.width) + "), got (" + std::to_string(slice) + ", " +
                     std::to_string(row) + ", " + std::to_string(column) + ")");
  const auto byte = static_cast<unsigned char>(value);
  const bool real = rows.type == ElementType::float32;
  write_all(file.fd, file.partial, real ? static_cast<const void*>(&value) : &byte, rows.item, rows.address(slice, row) + off_t(column * rows.item));
}

void ProductSet::finish_block(std::size_t block, const std::string& note) {
  Impl& impl = *impl_;
  if (block >= impl.n_blocks || impl.complete || impl.discarded)
    throw InvalidArgument("expected an unfinished run and a block below " + std::to_string(impl.n_blocks) + ", got block " + std::to_string(block));
  for (const Impl::File& file : impl.files) sync(file.fd, file.partial, true);
  const std::lock_guard guard(impl.mutex);
  impl.append("block " + std::to_string(block) + " " + escape(note) + "\n");
  impl.finished.push_back({block, note});
}

void ProductSet::commit() {
  Impl& impl = *impl_;
  if (impl.complete) return;
  if (impl.discarded) throw InvalidArgument("expected products that are being written, got ones that were discarded");
  std::set<std::size_t> blocks;
  for (const FinishedBlock& finished : impl.finished) blocks.insert(finished.block);
  if (blocks.size() != impl.n_blocks)
    throw InvalidArgument("expected all " + std::to_string(impl.n_blocks) + " blocks finished before commit, got " + std::to_string(blocks.size()));
  for (const Impl::File& file : impl.files) sync(file.fd, file.partial, false);
  impl.append("complete\n");
  impl.rename_all();
}

void ProductSet::discard() {
  Impl& impl = *impl_;
  if (impl.complete || impl.discarded) return;
  for (const Impl::File& file : impl.files) ::unlink(file.partial.c_str());
  ::unlink(impl.journal_path.c_str());
  impl.release();
  impl.discarded = true;
}

}  // namespace lopsar::files
