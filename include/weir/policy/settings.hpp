#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/core/ip.hpp"
#include "weir/core/units.hpp"
#include "weir/policy/reply_class.hpp"

namespace weir::policy {

/// What a limit counts against; a list of parts makes a composite key.
enum class KeyPart : std::uint8_t { client, login, sender, sender_domain, recipient_domain, relay };

enum class Mode : std::uint8_t {
    enforce,  ///< hold what is over the limit
    observe,  ///< count and log, hold nothing
};

/// Which messages a limit is for. An empty table matches everything; all tables that are set must match.
///
/// Domains match themselves and, written with a leading dot (".example.com"), everything below.
/// Senders are whole addresses ("news@example.com") or "<>" for the null sender.
struct Match {
    std::vector<core::Cidr> client{};
    bool local = false;  ///< "local" was listed under client: mail handed in by sendmail(1)
    std::vector<std::string> login{};
    std::vector<std::string> sender{};
    std::vector<std::string> sender_domain{};
    std::vector<std::string> recipient_domain{};
    std::vector<std::string> lane{};

    bool operator==(const Match&) const = default;
};

/// One entry of `limits:`. At least one quota is set.
struct LimitSettings {
    std::string name{};
    std::vector<KeyPart> per{};
    std::optional<core::Quota> messages{};
    std::optional<core::Quota> recipients{};
    std::optional<core::Quota> bytes{};
    std::optional<core::Quota> new_sender_domains{};
    Match match{};
    Mode mode = Mode::enforce;

    bool operator==(const LimitSettings&) const = default;
};

/// Everything the admission engine is configured by.
struct Settings {
    Mode mode = Mode::enforce;  ///< observe here overrules every limit's own mode
    std::vector<LimitSettings> limits{};
    unsigned ipv4_prefix = 32;
    unsigned ipv6_prefix = 64;
    std::size_t max_keys = 1'000'000;  ///< per limit; beyond it newcomers share one bucket

    bool operator==(const Settings&) const = default;
};

/// One entry of `feedback.classify:`. What it says of a reply goes before everything that Weir knows itself.
struct ClassifyRule {
    std::string pattern{};  ///< RE2; found anywhere in the text, or in the text with its code and status in front
    ReplyClass reply_class = ReplyClass::system;
    std::optional<Scope> scope{};  ///< left out: usual_scope() of the class

    bool operator==(const ClassifyRule&) const = default;
};

inline constexpr std::size_t max_classify_rules = 1000;
inline constexpr std::size_t longest_pattern = 1000;  ///< in bytes

/// What is wrong with a pattern, for the operator, or nothing: "missing ): (abc".
[[nodiscard]] std::string pattern_problem(std::string_view pattern);
/// What is wrong with a list of which every pattern is right: too many, or too large together. Or nothing.
[[nodiscard]] std::string classify_problem(const std::vector<ClassifyRule>& rules);

/// The limits that are in force when the configuration has no `limits:` key.
[[nodiscard]] std::vector<LimitSettings> default_limits();

}  // namespace weir::policy
