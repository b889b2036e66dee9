#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "weir/config/keys.hpp"
#include "weir/config/settings.hpp"

namespace weir::config {
namespace {

const std::filesystem::path source_dir = WEIR_SOURCE_DIR;

std::string read_text(const std::filesystem::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
}

/// What docs/configuration.md says about one key.
struct Documented {
    std::string path;
    std::string type_line;              ///< "Type: ... Default: `10`."
    std::vector<std::string> examples;  ///< the YAML blocks
};

std::vector<Documented> documented_keys() {
    std::vector<Documented> keys;
    std::istringstream page(read_text(source_dir / "docs/configuration.md"));
    std::optional<std::string> example;
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("### `") && line.ends_with('`')) {
            keys.push_back({.path = line.substr(5, line.size() - 6), .type_line = "", .examples = {}});
        } else if (line.starts_with("Type: ") && !keys.empty()) {
            keys.back().type_line = line;
        } else if (line == "```yaml") {
            example = "";
        } else if (line == "```" && example) {
            keys.back().examples.push_back(*example);
            example.reset();
        } else if (example) {
            *example += line + '\n';
        }
    }
    return keys;
}

/// The default in backquotes; none where it is told in words.
std::optional<std::string> documented_default(const Documented& key) {
    std::smatch found;
    static const std::regex pattern("Default: `([^`]+)`");
    if (!std::regex_search(key.type_line, found, pattern)) return std::nullopt;
    return found[1].str();
}

/// A small configuration with `setting` ("key: value", or nothing) where the key's path says.
std::string with(const std::string& path, const std::string& setting) {
    const auto dot = path.rfind('.');
    const std::string section = dot == std::string::npos ? "" : path.substr(0, dot);
    const std::string upstream = "upstream: {relays: isp.example, ";
    if (section == "upstream") return upstream + setting + "}\n";
    if (section == "upstream.timeouts") return upstream + "timeouts: {" + setting + "}}\n";
    if (section == "upstream.contract") return upstream + "contract: {" + setting + "}}\n";
    if (section == "upstream.tls") return upstream + "tls: {" + setting + "}}\n";
    if (section == "upstream.auth") return upstream + "auth: {username: a, password_env: P, " + setting + "}}\n";
    if (section == "listen[]") return upstream + "}\nlisten: {address: 127.0.0.1:1, " + setting + "}\n";
    if (section == "limits[]") {
        return upstream + "}\nlimits: [{name: a, per: client, messages: 1/s, " + setting + "}]\n";
    }
    if (section.empty()) return upstream + "}\n" + setting + '\n';
    return upstream + "}\n" + section + ": {" + setting + "}\n";
}

std::string leaf(const std::string& path) {
    return path.substr(path.rfind('.') + 1);
}

TEST(Reference, HasEveryKeyOfTheParserAndNoOther) {
    std::vector<std::string> documented;
    for (const Documented& key : documented_keys()) documented.push_back(key.path);
    std::vector<std::string> known;
    for (const Key& key : known_keys()) known.push_back(key.path);
    EXPECT_THAT(documented, testing::UnorderedElementsAreArray(known));
}

TEST(Reference, SaysOfEachKeyWhetherItWorks) {
    const std::vector<Key> known = known_keys();
    for (const Documented& documented : documented_keys()) {
        const auto key =
            std::find_if(known.begin(), known.end(), [&](const Key& k) { return k.path == documented.path; });
        ASSERT_NE(key, known.end()) << documented.path;
        const bool says_refused = documented.type_line.find("Not in this version: refused") != std::string::npos;
        const bool says_no_effect = documented.type_line.find("Not in this version: no effect") != std::string::npos;
        EXPECT_EQ(says_refused, key->state == Key::State::refused) << documented.path;
        EXPECT_EQ(says_no_effect, key->state == Key::State::no_effect) << documented.path;
    }
}

TEST(Reference, SaysOfEachKeyThatWorksWhatItsTypeAndDefaultAre) {
    for (const Documented& key : documented_keys()) {
        EXPECT_THAT(key.type_line, testing::ContainsRegex("^Type: .*(Default: |Required|Not in this version)"))
            << key.path;
    }
}

TEST(Reference, GivesTheDefaultsThatTheParserHas) {
    int checked = 0;
    for (const Documented& key : documented_keys()) {
        const auto value = documented_default(key);
        if (!value) continue;
        EXPECT_EQ(load_text(with(key.path, leaf(key.path) + ": " + *value), "default"),
                  load_text(with(key.path, ""), "nothing"))
            << key.path;
        ++checked;
    }
    EXPECT_GE(checked, 15);
}

TEST(Reference, HasAnExampleForEachKeyAndAllOfThemLoad) {
    const std::vector<Key> known = known_keys();
    for (const Documented& documented : documented_keys()) {
        const bool is_refused = documented.type_line.find("Not in this version: refused.") != std::string::npos;
        EXPECT_EQ(documented.examples.empty(), is_refused) << documented.path;
        for (std::string example : documented.examples) {
            EXPECT_THAT(example, testing::HasSubstr(leaf(documented.path) == "listen[]" ? "listen:"
                                                                                        : leaf(documented.path) + ':'));
            if (!example.starts_with("upstream:")) example += "upstream: {relays: isp.example}\n";
            EXPECT_NO_THROW(static_cast<void>(load_text(example, documented.path))) << example;
        }
    }
}

TEST(Examples, AllLoadWithoutAWarning) {
    int loaded = 0;
    for (const auto& entry : std::filesystem::directory_iterator(source_dir / "configs")) {
        if (entry.path().extension() != ".yaml") continue;
        try {
            EXPECT_THAT(load_file(entry.path()).warnings, testing::IsEmpty()) << entry.path();
        } catch (const ConfigError& error) {
            ADD_FAILURE() << error.what();
        }
        ++loaded;
    }
    EXPECT_GE(loaded, 2);
}

TEST(Examples, TheFullOneHasEveryKeyThatWorks) {
    const std::string full = read_text(source_dir / "configs/full.yaml");
    for (const Key& key : known_keys()) {
        if (key.state != Key::State::works || key.path.starts_with("limits[].match.")) continue;
        EXPECT_THAT(full, testing::HasSubstr(leaf(key.path) + ':')) << key.path;
    }
}

TEST(Examples, TheFullOneSpellsOutTheBuiltInLimits) {
    const Settings full = load_file(source_dir / "configs/full.yaml");
    const auto built_in = policy::default_limits();
    for (const policy::LimitSettings& limit : built_in) {
        EXPECT_THAT(full.policy.limits, testing::Contains(limit)) << limit.name;
    }
}

}  // namespace
}  // namespace weir::config
