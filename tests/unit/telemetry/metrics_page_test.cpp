// docs/metrics.md and the daemon know the same metrics, with the same types and labels; its alerts can be loaded.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "every_metric.hpp"
#include "promtool.hpp"

namespace weir::telemetry {
namespace {

struct Family {
    std::string type;
    std::set<std::string> labels;
    bool operator==(const Family&) const = default;
};

void PrintTo(const Family& family, std::ostream* out) {
    *out << family.type;
    for (const auto& label : family.labels) *out << ' ' << label;
}

using Families = std::map<std::string, Family>;

std::set<std::string> all_matches(const std::string& text, const std::regex& pattern) {
    std::set<std::string> found;
    for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
        found.insert((*match)[1]);
    }
    return found;
}

/// Rows like: | `name` | type | `label`, `label` | meaning |
Families families_of_the_page() {
    static const std::regex row(R"(\| `([a-z_]+)` \| ([a-z]+) \|([^|]*)\| .+ \|)");
    static const std::regex label("`([a-z_]+)`");
    Families families;
    std::ifstream page(WEIR_METRICS_PAGE);
    for (std::string line; std::getline(page, line);) {
        std::smatch cells;
        if (std::regex_match(line, cells, row)) families[cells[1]] = {cells[2], all_matches(cells[3], label)};
    }
    return families;
}

Families families_of_the_daemon() {
    static const std::regex label(R"re(([a-z_]+)="[^"]*")re");
    Metrics metrics;
    touch_every_metric(metrics);
    Families families;
    Family* current = nullptr;
    std::istringstream text(metrics.render());
    for (std::string line; std::getline(text, line);) {
        std::istringstream words(line);
        std::string hash, keyword, name, type;
        words >> hash >> keyword >> name >> type;
        if (keyword == "TYPE") {
            current = &families[name];
            current->type = type;
        } else if (hash != "#" && current != nullptr) {
            current->labels.merge(all_matches(line, label));
        }
    }
    for (auto& [name, family] : families) family.labels.erase("le");
    return families;
}

TEST(MetricsPage, NamesEveryMetricThatIsThereAndNoOther) {
    const Families page = families_of_the_page();
    const Families daemon = families_of_the_daemon();
    EXPECT_GT(page.size(), 20U);
    for (const auto& [name, family] : daemon) {
        ASSERT_TRUE(page.contains(name)) << name << " is missing in docs/metrics.md";
        EXPECT_EQ(page.at(name), family) << name;
    }
    for (const auto& [name, family] : page) EXPECT_TRUE(daemon.contains(name)) << name << " is only in docs/metrics.md";
}

/// The YAML between the page's fences.
std::string alerts_of_the_page() {
    std::string alerts;
    bool is_inside = false;
    std::ifstream page(WEIR_METRICS_PAGE);
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("```")) {
            is_inside = !is_inside;
        } else if (is_inside) {
            alerts += line + '\n';
        }
    }
    return alerts;
}

TEST(MetricsPage, ShowsAlertsThatPrometheusLoads) {
    const auto rules = promtool("check rules /dev/stdin", alerts_of_the_page());
    EXPECT_EQ(rules.status, 0) << rules.output;
}

TEST(MetricsPage, ShowsAlertsOnMetricsThatExist) {
    const Families daemon = families_of_the_daemon();
    for (std::string name : all_matches(alerts_of_the_page(), std::regex("((?:weir|process)_[a-z_]+)"))) {
        if (name.ends_with("_bucket")) name.resize(name.size() - std::string_view("_bucket").size());
        EXPECT_TRUE(daemon.contains(name)) << name;
    }
}

}  // namespace
}  // namespace weir::telemetry
