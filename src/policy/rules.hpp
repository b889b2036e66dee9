#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "identifier.hpp"
#include "matcher.hpp"
#include "weir/limit/keyed_table.hpp"
#include "weir/limit/seen_domains.hpp"
#include "weir/policy/settings.hpp"
#include "weir/policy/ticket.hpp"

namespace weir::policy {

/// One limit's counts. They outlive the settings they were made from: see Engine::reconfigure.
class Buckets {
public:
    Buckets(const LimitSettings& settings, std::size_t max_keys);

    /// Goes on under new quotas. A key keeps owing as many units as it owed.
    void configure(const LimitSettings& settings, std::size_t max_keys, limit::Tick now);

    /// None: this limit does not count that.
    [[nodiscard]] const limit::Pace* pace(Quantity quantity) const {
        const auto& pace = paces_[static_cast<std::size_t>(quantity)];
        return pace ? &*pace : nullptr;
    }
    [[nodiscard]] const std::optional<core::Quota>& quota(Quantity quantity) const {
        return quotas_[static_cast<std::size_t>(quantity)];
    }

    limit::KeyedTable table;
    limit::SeenDomains seen;
    std::uint64_t held = 0;
    std::uint32_t version = 0;  ///< changes when charges made before can no longer be given back

private:
    void set_quotas(const LimitSettings& settings);
    [[nodiscard]] limit::Tick longest_tolerance() const;

    std::array<std::optional<core::Quota>, quantities> quotas_;
    std::array<std::optional<limit::Pace>, quantities> paces_;
};

/// One limit of the settings, ready to be asked.
struct Rule {
    LimitSettings settings;
    Mode mode;  ///< the one in force
    Matcher matcher;
    std::shared_ptr<Buckets> buckets;

    [[nodiscard]] bool counts_by(KeyPart part) const;
    [[nodiscard]] bool needs_recipient() const;
};

/// The limits of one name, of which at most one applies to a message, or to each of its recipients.
struct RuleGroup {
    std::vector<std::uint32_t> rules;  ///< indexes, in the order of the settings
    bool needs_recipient = false;      ///< one of them looks at the recipient: all of them are asked at RCPT
};

/// Settings ready to be used; immutable, but for the buckets. A ticket keeps those it was admitted under.
struct Rules {
    /// Buckets of `previous` are taken over by limits of the same name and `per`.
    Rules(Settings from, const Rules* previous, limit::Tick now);

    /// The one limit of the group that applies; none if none does. `recipient` is null at MAIL.
    [[nodiscard]] std::optional<std::uint32_t> choose(const RuleGroup& group, const Identity& identity,
                                                      const RecipientDomain* recipient) const;

    [[nodiscard]] limit::Key key(const Rule& rule, const Identity& identity, const RecipientDomain* recipient,
                                 const Identifier& identifier) const;

    Settings settings;
    std::vector<Rule> rules;
    std::vector<RuleGroup> groups;
    bool need_recipients = false;
};

/// "client 203.0.113.9, sender_domain example.org": printable, and of bounded length.
[[nodiscard]] std::string key_text(const Rule& rule, const Settings& settings, const Identity& identity,
                                   const RecipientDomain* recipient);

/// "203.0.113.9", "2001:db8:1:2::/64", "local" or "bounce".
[[nodiscard]] std::string client_text(const Settings& settings, const Identity& identity);

}  // namespace weir::policy
