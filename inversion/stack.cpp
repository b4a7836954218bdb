#include <lopsar/inversion/stack.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include <lopsar/inversion/baselines.hpp>
#include <lopsar/inversion/files/hdf5.hpp>
#include <lopsar/operators/date.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

std::string shape_text(const std::vector<std::size_t>& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

std::optional<double> number(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.remove_suffix(1);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

bool is_phase(const std::string& name) { return name.starts_with("unwrapPhase"); }

}  // namespace

struct Stack::Impl {
  files::Hdf5File file;
  std::map<std::string, std::string> attributes;
  std::vector<std::string> datasets;
  std::vector<std::pair<std::string, std::string>> all_pairs;
  std::vector<bool> keep;
  std::vector<std::size_t> kept;
  std::optional<Network> network;
  std::size_t length = 0, width = 0;

  bool has(const std::string& name) const { return std::find(datasets.begin(), datasets.end(), name) != datasets.end(); }

  double number_of(const std::string& key, const std::string& text, const char* expected) const {
    const auto value = number(text);
    if (!value) throw FileError(file.path() + ": attribute " + key + ": expected " + expected + ", got '" + text + "'; correct the attribute");
    return *value;
  }

  explicit Impl(const std::string& path) : file(files::Hdf5File::open(path)), attributes(file.attributes()), datasets(file.datasets()) {
    read_pairs();
    read_size();
    read_keep();
  }

  void read_pairs() {
    if (!has("date"))
      throw FileError(file.path() +
                      ": date: expected a dataset of dates (m, 2) as in MintPy's ifgramStack.h5, got none; give a stack of interferograms");
    const auto info = file.info("date");
    if (info.type != files::ElementType::string || info.shape.size() != 2 || info.shape[1] != 2)
      throw ShapeError(file.path() + ": date: expected strings of shape (m, 2), first and second date of each pair, got " +
                       (info.type == files::ElementType::string ? "" : "no strings but ") + shape_text(info.shape) +
                       "; give a stack of interferograms, not a time series");
    if (info.shape[0] == 0) throw ShapeError(file.path() + ": date: expected at least one pair, got none; give a stack with interferograms");
    const auto dates = file.read_strings("date");
    for (std::size_t k = 0; k < info.shape[0]; ++k) {
      const auto clean = [&](const std::string& date) {
        try {
          static_cast<void>(days_since_epoch(date));
          return normalized_date(date);
        } catch (const InvalidArgument& error) {
          throw InvalidArgument(file.path() + ": date, pair " + std::to_string(k) + ": " + error.what() + "; correct the dataset");
        }
      };
      all_pairs.emplace_back(clean(dates[2 * k]), clean(dates[2 * k + 1]));
      if (all_pairs.back().first == all_pairs.back().second)
        throw InvalidArgument(file.path() + ": date, pair " + std::to_string(k) + ": expected two different dates, got " + all_pairs.back().first +
                              " twice; remove the pair");
    }
  }

  void read_size() {
    std::string source;
    for (const std::string& name : datasets) {
      if (!is_phase(name) && name != "coherence" && name != "connectComponent") continue;
      const auto info = file.info(name);
      if (info.shape.size() != 3 || info.shape[0] != all_pairs.size() || (!source.empty() && (info.shape[1] != length || info.shape[2] != width)))
        throw ShapeError(file.path() + ": " + name + ": expected shape (" + std::to_string(all_pairs.size()) + ", " +
                         (source.empty() ? "length, width" : std::to_string(length) + ", " + std::to_string(width)) +
                         "), one image per pair of `date`" + (source.empty() ? "" : " and the size of " + source) + ", got " +
                         shape_text(info.shape) + "; write the stack again");
      if (source.empty()) source = name, length = info.shape[1], width = info.shape[2];
    }
    if (source.empty())
      throw FileError(file.path() + ": unwrapPhase: expected a dataset (m, l, w), got none; give a stack of unwrapped interferograms");
    if (length == 0 || width == 0)
      throw ShapeError(file.path() + ": " + source + ": expected at least one pixel, got an empty image; write the stack again");
    for (const auto& [key, size] : {std::pair{"LENGTH", length}, std::pair{"WIDTH", width}}) {
      const auto found = attributes.find(key);
      if (found != attributes.end() && number_of(key, found->second, "a number of pixels") != double(size))
        throw ShapeError(file.path() + ": attribute " + key + ": expected " + std::to_string(size) + ", the size of " + source + ", got " +
                         found->second + "; correct the attribute or write the stack again");
    }
  }

  void read_keep() {
    const std::size_t m = all_pairs.size();
    keep.assign(m, true);
    if (has("dropIfgram")) {
      const auto info = file.info("dropIfgram");
      if (info.shape != std::vector<std::size_t>{m})
        throw ShapeError(file.path() + ": dropIfgram: expected shape (" + std::to_string(m) + ",), one flag per pair, got " + shape_text(info.shape) +
                         "; write the stack again");
      std::vector<std::int32_t> flags(m);
      const std::size_t zero = 0;
      file.read("dropIfgram", {&zero, 1}, {&m, 1}, files::ElementType::int32, flags.data());
      for (std::size_t k = 0; k < m; ++k) keep[k] = flags[k] != 0;
    }
    std::vector<std::pair<std::string, std::string>> pairs;
    for (std::size_t k = 0; k < m; ++k)
      if (keep[k]) kept.push_back(k), pairs.push_back(all_pairs[k]);
    if (kept.empty())
      throw InvalidArgument(file.path() + ": dropIfgram: expected at least one pair to keep (true = keep), got all " + std::to_string(m) +
                            " dropped; reset it, for example with MintPy's modify_network.py --reset");
    network.emplace(pairs);
  }
};

Stack::Stack(const std::string& path) : impl_(std::make_shared<const Impl>(path)) {}

const std::string& Stack::path() const { return impl_->file.path(); }
const std::map<std::string, std::string>& Stack::attributes() const { return impl_->attributes; }
const std::vector<std::pair<std::string, std::string>>& Stack::all_pairs() const { return impl_->all_pairs; }
const std::vector<bool>& Stack::keep() const { return impl_->keep; }
const std::vector<std::size_t>& Stack::kept() const { return impl_->kept; }
const Network& Stack::network() const { return *impl_->network; }
std::size_t Stack::length() const { return impl_->length; }
std::size_t Stack::width() const { return impl_->width; }
const std::vector<std::string>& Stack::datasets() const { return impl_->datasets; }
const files::Hdf5File& Stack::file() const { return impl_->file; }

const std::string& Stack::attribute(const std::string& key, const std::string& why) const {
  const auto found = impl_->attributes.find(key);
  if (found == impl_->attributes.end()) throw FileError(path() + ": attribute " + key + ": expected one, " + why + ", got none; add it to the file");
  return found->second;
}

double Stack::wavelength() const {
  const double value = impl_->number_of("WAVELENGTH", attribute("WAVELENGTH", "the wavelength in meters that turns phase into displacement"),
                                        "a wavelength in meters");
  if (value <= 0)
    throw FileError(path() + ": attribute WAVELENGTH: expected a positive number of meters, got " + attributes().at("WAVELENGTH") +
                    "; correct the attribute");
  return value;
}

double Stack::phase_per_meter() const { return -4 * std::numbers::pi / wavelength(); }

int Stack::looks() const {
  const auto value = [&](const std::string& key) { return impl_->number_of(key, attributes().at(key), "a number of looks"); };
  double looks = 0;
  if (attributes().contains("NCORRLOOKS")) looks = value("NCORRLOOKS");
  else if (attributes().contains("ALOOKS") && attributes().contains("RLOOKS")) looks = value("ALOOKS") * value("RLOOKS") / 1.94;
  else
    throw FileError(path() +
                    ": attributes NCORRLOOKS, or ALOOKS and RLOOKS: expected the number of looks, which the weights need, got none; add them to the "
                    "file, or choose -w coh or -w no (weight_func)");
  return std::max(1, static_cast<int>(std::min(std::nearbyint(looks), 1e9)));
}

std::optional<Stack::Pixel> Stack::reference() const {
  const auto y = attributes().find("REF_Y"), x = attributes().find("REF_X");
  if (y == attributes().end() || x == attributes().end() || y->second == "None" || x->second == "None") return std::nullopt;
  const double row = impl_->number_of("REF_Y", y->second, "a row"), column = impl_->number_of("REF_X", x->second, "a column");
  if (row != std::floor(row) || column != std::floor(column) || row < 0 || column < 0 || row >= double(length()) || column >= double(width()))
    throw FileError(path() + ": attributes REF_Y, REF_X: expected a pixel within (" + std::to_string(length()) + ", " + std::to_string(width()) +
                    "), got (" + y->second + ", " + x->second + "); choose another reference pixel, for example with MintPy's reference_point.py");
  return Pixel{static_cast<std::size_t>(row), static_cast<std::size_t>(column)};
}

Stack::Baselines Stack::baselines() const {
  const std::size_t m = all_pairs().size(), zero = 0;
  if (!impl_->has("bperp"))
    throw FileError(
        path() + ": bperp: expected a dataset (m,) of perpendicular baselines in meters, got none; write the stack again with it (zeros if unknown)");
  const auto info = file().info("bperp");
  if (info.shape != std::vector<std::size_t>{m})
    throw ShapeError(path() + ": bperp: expected shape (" + std::to_string(m) + ",), one baseline per pair, got " + shape_text(info.shape) +
                     "; write the stack again");
  Baselines result;
  result.pair.resize(m);
  file().read("bperp", {&zero, 1}, {&m, 1}, files::ElementType::float64, result.pair.data());
  std::vector<double> y;
  for (std::size_t k : kept()) y.push_back(result.pair[k]);
  auto reduced = date_baselines(network(), y);
  for (auto& b : reduced.date)
    if (!std::isfinite(b)) b = 0;  // what nobody measured
  result.date = std::move(reduced.date);
  result.rms_misfit = reduced.rms_misfit;
  result.max_misfit = reduced.max_misfit;
  return result;
}

}  // namespace lopsar
