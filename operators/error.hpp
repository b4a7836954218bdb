#pragma once

#include <stdexcept>

namespace lopsar {

// Whatever lopsar throws; the message says what was expected, what came and what to do.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A block, field or dataset has the wrong shape.
struct ShapeError : Error {
  using Error::Error;
};

// An option, index or value is not one of those that make sense.
struct InvalidArgument : Error {
  using Error::Error;
};

// The caller's callback asked to stop.
struct Interrupted : Error {
  using Error::Error;
};

// A file cannot be opened, read or written; the message names the file and, where there is one, the dataset.
struct FileError : Error {
  using Error::Error;
};

}  // namespace lopsar
