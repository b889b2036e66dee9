// A weir-sim configuration: what the files and the page say loads, and what is wrong is named with its place.

#include "weir/sim/script.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace weir::sim {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const fs::path root(WEIR_SOURCE_DIR);

std::string mistakes_in(const std::string& yaml) {
    try {
        static_cast<void>(load_text(yaml, "isp.yaml"));
    } catch (const ScriptError& error) {
        return error.what();
    }
    return "";
}

/// The text between the page's fences that open with "```yaml".
std::vector<std::string> examples_of_the_page() {
    std::vector<std::string> examples;
    bool is_inside = false;
    std::ifstream page(root / "docs/weir-sim.md");
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("```")) {
            is_inside = line == "```yaml";
            if (is_inside) examples.emplace_back();
        } else if (is_inside) {
            examples.back() += line + '\n';
        }
    }
    return examples;
}

TEST(SimScript, EveryIspInConfigsLoads) {
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(root / "configs/sim")) {
        EXPECT_NO_THROW(static_cast<void>(load_file(entry.path()))) << entry.path();
        ++files;
    }
    EXPECT_NO_THROW(static_cast<void>(load_file(root / "configs/story/isp.yaml")));
    EXPECT_GE(files, 7U);
}

TEST(SimScript, EveryExampleOfThePageLoads) {
    const auto examples = examples_of_the_page();
    EXPECT_EQ(examples.size(), 3U);
    for (const std::string& example : examples) EXPECT_EQ(mistakes_in(example), "") << example;
}

TEST(SimScript, ThePageNamesEveryKeyAndNoOther) {
    std::set<std::string> described;
    std::ifstream page(root / "docs/weir-sim.md");
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("| `") && line.find(':') > line.find('`', 3))
            described.insert(line.substr(3, line.find('`', 3) - 3));
        if (line.starts_with("**`")) described.insert(line.substr(3, line.find('`', 3) - 3));
    }
    const std::string said = mistakes_in("no_such_key: 1\n");
    std::set<std::string> known;
    std::size_t at = said.find("known here: ") + 12;
    for (std::size_t end = 0; end != std::string::npos; at = end + 2) {
        end = said.find(", ", at);
        known.insert(said.substr(at, end == std::string::npos ? end : end - at));
    }
    EXPECT_EQ(described, known) << said;
}

TEST(SimScript, AnEmptyMapIsARelayThatAcceptsEverything) {
    const Settings settings = load_text("{}", "isp.yaml");
    EXPECT_EQ(settings.listen.port, 0);
    EXPECT_FALSE(settings.admin);
    EXPECT_TRUE(settings.isp.limits.empty());
    EXPECT_FALSE(settings.isp.reputation);
    EXPECT_TRUE(settings.extensions.eight_bit_mime);
}

TEST(SimScript, ReadsWhatWasWritten) {
    const Settings settings = load_text(R"(
listen: "[::1]:2525"
style: ses
extensions: [size, pipelining]
latency: {dot: 150ms}
max_connections: {max: 3, reply: "421 4.7.0 {client} has too many"}
limits: [{messages: 14/s burst 28, window: bucket, per: sender_domain}]
reputation: {sender_domains: 40, block: {time: 1m, lengthen_factor: 2, greeting: open}}
faults: [{at: [mail, dot], do: reset, every: 5}]
)",
                                        "isp.yaml");
    EXPECT_EQ(core::format_ip(settings.listen.address), "::1");
    EXPECT_FALSE(settings.extensions.dsn);
    EXPECT_TRUE(settings.extensions.pipelining);
    EXPECT_EQ(settings.isp.latency[static_cast<std::size_t>(Stage::dot)], 150ms);
    EXPECT_EQ(settings.isp.latency[static_cast<std::size_t>(Stage::mail)], 0ms);
    EXPECT_EQ(settings.isp.max_connections, 3U);
    EXPECT_EQ(settings.isp.max_connections_reply.wire(), "421 4.7.0 {client} has too many\r\n");
    ASSERT_EQ(settings.isp.limits.size(), 1U);
    EXPECT_EQ(settings.isp.limits[0].quota.burst, 28U);
    EXPECT_EQ(settings.isp.limits[0].per, LimitSettings::Per::sender_domain);
    EXPECT_EQ(settings.isp.limits[0].stage, Stage::dot) << "the provider says it after the dot";
    ASSERT_TRUE(settings.isp.reputation);
    EXPECT_EQ(settings.isp.reputation->block, 1min);
    EXPECT_FALSE(settings.isp.reputation->greeting);
    EXPECT_TRUE(settings.isp.reputation->mail);
    ASSERT_EQ(settings.isp.faults.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<FaultSettings::Reset>(settings.isp.faults[1].what));
}

struct Mistake {
    const char* name;
    const char* yaml;
    const char* said;  ///< what the only line begins with
};

void PrintTo(const Mistake& mistake, std::ostream* out) {
    *out << mistake.name;
}

class SimMistake : public testing::TestWithParam<Mistake> {};

TEST_P(SimMistake, IsNamedWithItsPlace) {
    EXPECT_THAT(mistakes_in(GetParam().yaml), testing::StartsWith(GetParam().said));
}

INSTANTIATE_TEST_SUITE_P(
    All, SimMistake,
    testing::Values(
        Mistake{"NoMap", "", "isp.yaml: a map is expected here"}, Mistake{"NoYaml", "a: [", "isp.yaml:"},
        Mistake{"UnknownKey", "listn: 1\n", "isp.yaml:1:1: listn: unknown key"},
        Mistake{"HostName", "listen: localhost:25\n", "isp.yaml:1:9: listen: \"localhost:25\" is not an address"},
        Mistake{"Style", "style: hotmail\n", "isp.yaml:1:8: style: \"hotmail\" is not one of"},
        Mistake{"BareNumber", "latency: 5\n", "isp.yaml:1:10: latency: \"5\" is not a duration"},
        Mistake{"CapWithoutMax", "max_connections: {style: ses}\n", "isp.yaml:1:18: max_connections: max: how many?"},
        Mistake{"TwoUnits", "limits: [{messages: 10/min, recipients: 3/h}]\n", "isp.yaml:1:10: limits[0]: either"},
        Mistake{"BurstOfAWindow", "limits: [{messages: 5/min burst 9}]\n",
                "isp.yaml:1:21: limits[0].messages: a burst"},
        Mistake{"SenderAtTheGreeting", "limits: [{messages: 10/min, stage: greeting, per: sender}]\n",
                "isp.yaml:1:10: limits[0]: at the greeting"},
        Mistake{"NothingToMindFor", "reputation: {}\n", "isp.yaml:1:13: reputation: at least one of"},
        Mistake{"BlockBackwards", "reputation: {messages: 1, block: {time: 2h, max: 1h}}\n",
                "isp.yaml:1:34: reputation.block: max is below time"},
        Mistake{"BadPattern", "unknown_users: {pattern: '('}\n", "isp.yaml:1:26: unknown_users.pattern: not a pattern"},
        Mistake{"NoStage", "faults: [{do: drop}]\n", "isp.yaml:1:10: faults[0]: at: at which stage?"},
        Mistake{"WrongStage", "faults: [{at: nowhere, do: drop}]\n", "isp.yaml:1:15: faults[0].at: \"nowhere\""},
        Mistake{"TwoFaults", "faults: [{at: mail, do: drop, raw: x}]\n", "isp.yaml:1:10: faults[0]: exactly one"},
        Mistake{"TwoTimes", "faults: [{at: mail, do: drop, first: 1, every: 2}]\n",
                "isp.yaml:1:10: faults[0]: at most one"},
        Mistake{"BadReply", "faults: [{at: mail, reply: hello}]\n", "isp.yaml:1:28: faults[0].reply: \"hello\""},
        Mistake{"Extension", "extensions: [starttls]\n", "isp.yaml:1:14: extensions[0]: \"starttls\" is not one of"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace weir::sim
