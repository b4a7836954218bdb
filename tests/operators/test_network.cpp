#include <map>

#include <Eigen/Dense>

#include <lopsar/operators/date.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/network.hpp>

#include "../support/catch.hpp"
#include "../support/networks.hpp"
#include "../support/operator_suite.hpp"

using namespace support;
using lopsar::InvalidArgument;
using lopsar::Network;

namespace {

// From the names alone: column per date but the reference, sorted as text.
Eigen::MatrixXd matrix_of(const Names& names, std::string reference) {
  std::map<std::string, long> column;
  for (const auto& [a, b] : names) column[a] = column[b] = 0;
  if (reference.empty()) reference = column.begin()->first;
  long next = 0;
  for (auto& [date, c] : column) c = date == reference ? -1 : next++;
  Eigen::MatrixXd A = Eigen::MatrixXd::Zero(static_cast<long>(names.size()), next);
  for (long k = 0; k < A.rows(); ++k) {
    const auto& [first, second] = names[static_cast<std::size_t>(k)];
    if (column[first] >= 0) A(k, column[first]) -= 1;
    if (column[second] >= 0) A(k, column[second]) += 1;
  }
  return A;
}

struct Case {
  std::string name;
  Names pairs;
  std::string reference;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&](std::string name, const Graph& g, int reference = -1) {
    all.push_back({std::move(name), g.names(), reference < 0 ? "" : date_text(g.days[static_cast<std::size_t>(reference)])});
  };
  add("two dates", {regular_days(2), {{0, 1}}});
  add("two dates, reversed, reference last", {regular_days(2), {{1, 0}}}, 1);
  add("sequential", nearest_neighbors(45, 18));
  add("reference in the middle", nearest_neighbors(45, 18), 9);
  add("reference last", nearest_neighbors(45, 18), 17);
  Graph g = nearest_neighbors(45, 18);
  reverse_some(g, 1);
  add("reversed pairs", g, 4);
  g.pairs.insert(g.pairs.end(), {{2, 3}, {3, 2}, {2, 3}, {0, 1}});
  add("parallel pairs", g);
  add("single reference", {regular_days(9), {{4, 0}, {4, 1}, {4, 2}, {4, 3}, {4, 5}, {4, 6}, {4, 7}, {4, 8}}});
  add("single reference, that date", {regular_days(9), {{4, 0}, {4, 1}, {4, 2}, {4, 3}, {4, 5}, {4, 6}, {4, 7}, {4, 8}}}, 4);
  add("disconnected", {regular_days(9), {{0, 2}, {2, 4}, {1, 3}, {3, 5}, {7, 6}, {8, 7}}});
  add("dates with times", {{0, 0.25, 0.5, 12, 12.25, 24.7}, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {0, 5}}});
  add("all pairs", all_pairs(12), 3);
  return all;
}

}  // namespace

TEMPLATE_TEST_CASE("Network passes the operator suite", "[operators][network]", float, double) {
  for (const auto& c : cases()) {
    DYNAMIC_SECTION(c.name) { suite::all<TestType>(Network(c.pairs, c.reference), matrix_of(c.pairs, c.reference)); }
  }
}

TEST_CASE("Network: rank and components equal those of the matrix", "[operators][network]") {
  std::mt19937 random(11);
  for (int trial = 0; trial < 60; ++trial) {
    const int D = 2 + static_cast<int>(random() % 14);
    Graph g{regular_days(D), {}};
    const int K = 1 + static_cast<int>(random() % static_cast<unsigned>(2 * D));
    for (int k = 0; k < K; ++k) {
      const int a = static_cast<int>(random() % static_cast<unsigned>(D)), b = static_cast<int>(random() % static_cast<unsigned>(D));
      if (a != b) g.pairs.emplace_back(a, b);
    }
    if (g.pairs.empty()) continue;
    const auto names = g.names();
    const Network network(names, names[random() % names.size()].second);
    const auto A = matrix_of(names, network.dates()[network.reference()]);
    const Eigen::VectorXd singular = Eigen::JacobiSVD<Eigen::MatrixXd>(A).singularValues();
    const auto rank = static_cast<std::size_t>((singular.array() > 1e-9).count());
    CHECK(network.rank() == rank);
    CHECK(network.component_count() == network.dates().size() - rank);
    CHECK(network.connected() == (network.component_count() == 1));
    const auto label = network.components();
    CHECK(label.front() == 0);
    for (const auto& p : network.pairs()) CHECK(label[p.first] == label[p.second]);
    // Redundancy: column sums of |A|, and the reference by what is left.
    const auto redundancy = network.redundancy();
    std::size_t sum = 0;
    for (std::size_t d = 0, column = 0; d < redundancy.size(); ++d) {
      sum += redundancy[d];
      if (d != network.reference()) CHECK(redundancy[d] == static_cast<std::size_t>(A.cwiseAbs().col(static_cast<long>(column++)).sum()));
    }
    CHECK(sum == 2 * network.pairs().size());
  }
}

TEST_CASE("Network: dates, days and reference", "[operators][network]") {
  const Network network(Names{{"2020-03-01", "20200101"}, {"20200101T0630", "20200301"}}, "2020-03-01");
  CHECK(network.dates() == std::vector<std::string>{"20200101", "20200101T0630", "20200301"});
  CHECK(network.days() == std::vector<double>{18262, 18262 + 390.0 / 1440, 18322});  // 2020 is a leap year
  CHECK(network.reference() == 2);
  CHECK(network.pairs() == std::vector<Network::Pair>{{2, 0}, {1, 2}});
  CHECK(network.shape() == lopsar::Shape{2, 2});
  CHECK(Network(Names{{"20200101", "20200113"}}).reference() == 0);
  CHECK(lopsar::days_since_epoch("19700101") == 0);
  CHECK(lopsar::days_since_epoch("20000229T1200") == 11016.5);
}

TEST_CASE("Network: bad dates and pairs are named", "[operators][network]") {
  CHECK_THROWS_AS(Network(Names{}), InvalidArgument);
  CHECK_THROWS_WITH(Network(Names{}), ContainsSubstring("expected at least one interferogram"));
  CHECK_THROWS_WITH(Network(Names{{"20200101", "20200101"}}), ContainsSubstring("20200101_20200101"));
  CHECK_THROWS_WITH(Network(Names{{"20200101", "2020-01-01"}}), ContainsSubstring("two different dates"));
  CHECK_THROWS_WITH(Network(Names{{"20200101", "20200113"}}, "20200125"),
                    ContainsSubstring("expected a reference among the 2 dates 20200101 .. 20200113, got 20200125"));
  for (const std::string bad : {"", "2020", "200101", "2020010", "20200101T", "20200101T06", "20200101t0630", "2020/01/01", "2020-1-1", "abcdefgh",
                                "20200101 ", " 20200101"}) {
    INFO("'" << bad << "'");
    CHECK_THROWS_AS(Network(Names{{bad, "20200113"}}), InvalidArgument);
    CHECK_THROWS_WITH(lopsar::normalized_date(bad), ContainsSubstring("got '" + bad + "'"));
  }
  for (const std::string bad : {"20200230", "20201301", "20200100", "20190229", "20200101T2460", "20200101T2400"}) {
    INFO(bad);
    CHECK_THROWS_WITH(Network(Names{{bad, "20200113"}}), ContainsSubstring("not in the calendar"));
  }
}
