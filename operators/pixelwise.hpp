// Operators that map each pixel on its own.
#pragma once
#include <cstddef>

#include <lopsar/operators/operator.hpp>

namespace lopsar {

// A few hundred neighboring pixels, few enough for the cache.
struct Tile {
  std::size_t first = 0;  // index of the first pixel: where the operator's fields are read
  bool stream = false;    // the result goes to memory and is not read again soon
  bool ahead = false;     // the input comes from memory, and the pixels after these are read next
};

// The base of pixelwise operators: it loops over tiles of pixels on all threads; an operator does one tile. To write one of your own, derive
// from Pattern (pattern.hpp) and give the matrix; derive from this class where there is a faster way than the sparse matrix.
class Pixelwise : public Operator {
 public:
  bool pixelwise() const final { return true; }
  Lowering lower() const override = 0;

  // Multiply-adds per pixel: by which the algebra decides whether to multiply matrices or to apply one after the other.
  virtual std::size_t cost() const = 0;
  // At least as many as lower() has triplets.
  virtual std::size_t terms() const = 0;
  // Rows of a tile that are touched more than once, forward or adjoint: tiles are made so small that these stay in the cache.
  virtual std::size_t cached_rows(bool adjoint) const = 0;

  // One tile; nothing is checked. The pixels of x and y are those from tile.first on.
  virtual void forward_tile(ConstBlock<float> x, Block<float> y, Tile tile) const = 0;
  virtual void forward_tile(ConstBlock<double> x, Block<double> y, Tile tile) const = 0;
  virtual void adjoint_tile(ConstBlock<float> y, Block<float> x, Tile tile) const = 0;
  virtual void adjoint_tile(ConstBlock<double> y, Block<double> x, Tile tile) const = 0;

 protected:
  void forward(ConstBlock<float> x, Block<float> y, int threads) const final;
  void forward(ConstBlock<double> x, Block<double> y, int threads) const final;
  void adjoint(ConstBlock<float> y, Block<float> x, int threads) const final;
  void adjoint(ConstBlock<double> y, Block<double> x, int threads) const final;
  using Operator::adjoint;
  using Operator::forward;
};

}  // namespace lopsar
