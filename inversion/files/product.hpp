#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <lopsar/inversion/files/hdf5.hpp>

namespace lopsar::files {

// One dataset of a product: small contents given here, or, with none given, (length, width) or (slices, length, width) to be
// filled by rows.
struct ProductDataset {
  std::string name;
  ElementType type = ElementType::float32;  // float32 or uint8; strings are stored as long as the longest of them
  std::vector<std::size_t> shape;
  std::vector<float> values{};         // small contents, float32
  std::vector<std::string> strings{};  // small contents, text such as dates
  std::map<std::string, std::string> attributes{};
};

// One output file.
struct Product {
  std::string path;                               // final name; until the end it is `.<name>.partial` in the same folder
  std::map<std::string, std::string> attributes;  // of the root
  std::vector<ProductDataset> datasets;
};

// A block of which everything written is safely on disk, with what `finish_block` was told about it.
struct FinishedBlock {
  std::size_t block;
  std::string note;
};

// The output files of one run, which can be killed at any moment and resumed: files are created whole, then filled at known
// addresses from any thread, and a journal `.<first name>.journal` says which blocks are safe. Without `commit` the partial files
// and the journal stay for the next run. Every failed system call is a FileError with its path; a full disk is called that.
class ProductSet {
 public:
  // Continues the run that left a journal with this `identity` (any text that names input and options), the same products and
  // `n_blocks`; otherwise starts afresh. A run killed while renaming is completed. FileError if another run is writing the same files.
  static ProductSet create_or_resume(std::vector<Product> products, const std::string& identity, std::size_t n_blocks);

  // Blocks that need not be computed again, in the order they were finished.
  const std::vector<FinishedBlock>& finished() const;
  // True when the products already stand under their final names: after commit, or when a killed run had only to be renamed.
  bool complete() const;

  // Writes rows [row0, row1) of every slice, from data + slice * slice_stride_elements elements of the dataset's type. Any thread.
  void write_rows(std::size_t product, std::string_view dataset, std::size_t row0, std::size_t row1, const void* data,
                  std::size_t slice_stride_elements);
  // Writes one element. Any thread.
  void write_pixel(std::size_t product, std::string_view dataset, std::size_t slice, std::size_t row, std::size_t column, float value);
  // Puts everything written so far on disk, then records the block; what is written to it must have been. Any thread.
  void finish_block(std::size_t block, const std::string& note = "");

  // Puts all on disk and gives the files their final names; InvalidArgument while blocks are unfinished.
  void commit();
  // Removes the partial files and the journal.
  void discard();

 private:
  struct Impl;
  explicit ProductSet(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace lopsar::files
