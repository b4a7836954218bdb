#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <lopsar/inversion/files/hdf5.hpp>

namespace lopsar::files {

// Reads blocks of whole rows of a dataset (slices, length, width), or (length, width) taken as one slice, of any numeric or
// boolean type, as float32. Copies share the open dataset; any thread may read, also inside a TBB pipeline.
class RowReader {
 public:
  // `slices`: which indices of the first axis, in the order of the output; may repeat. InvalidArgument for an index past the end,
  // ShapeError for another number of axes, FileError for what is not numeric, damaged or truncated.
  RowReader(const Hdf5File& file, const std::string& dataset, std::vector<std::size_t> slices);

  std::size_t slices() const;  // rows of the output: how many indices were asked for
  std::size_t length() const;
  std::size_t width() const;
  // Rows that are stored together: blocks that start at multiples of this decode nothing twice. 1 where any row is as good.
  std::size_t chunk_rows() const;
  // Bytes that the whole dataset takes in the file.
  std::size_t stored_bytes() const;
  // Memory that each worker of `read` takes beside the output, until `read` returns.
  std::size_t scratch_bytes() const;
  // "", "gzip", "lzf" or "filter N".
  const std::string& codec() const;

  // Reads rows [row0, row1): slice slices[i] goes to out + i * out_stride as (row1 - row0) * width floats. ShapeError for rows past
  // the end or a stride shorter than that; FileError names file, dataset and chunk where the file is damaged.
  // `workers`: at most so many chunks at a time; 0: as many as there are threads.
  void read(std::size_t row0, std::size_t row1, float* out, std::size_t out_stride, int workers = 0) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace lopsar::files
