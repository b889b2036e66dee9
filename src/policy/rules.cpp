#include "rules.hpp"

#include <algorithm>

namespace weir::policy {
namespace {

// What all newcomers to `per: relay` and lists with it share; any constant will do.
constexpr limit::Key relay_key{.high = 1, .low = 1};

/// Takes the buckets of the limit that this one was before, if there was one.
///
/// Several limits may share name and `per`, told apart by what they match; an unchanged one finds its own first.
std::shared_ptr<Buckets> take_over(const LimitSettings& limit, std::vector<Rule>& previous) {
    const auto is_same = [&limit](const Rule& rule) {
        return rule.buckets && rule.settings.name == limit.name && rule.settings.per == limit.per;
    };
    const auto is_unchanged = [&](const Rule& rule) { return is_same(rule) && rule.settings.match == limit.match; };
    auto found = std::find_if(previous.begin(), previous.end(), is_unchanged);
    if (found == previous.end()) found = std::find_if(previous.begin(), previous.end(), is_same);
    return found != previous.end() ? std::exchange(found->buckets, nullptr) : nullptr;
}

}  // namespace

Buckets::Buckets(const LimitSettings& settings, std::size_t max_keys) : table(max_keys, 0), seen({}) {
    set_quotas(settings);
    table.configure(max_keys, longest_tolerance());
}

void Buckets::set_quotas(const LimitSettings& settings) {
    quotas_ = {settings.messages, settings.recipients, settings.bytes, settings.new_sender_domains};
    std::transform(quotas_.begin(), quotas_.end(), paces_.begin(), [](const std::optional<core::Quota>& quota) {
        return quota ? std::optional<limit::Pace>(*quota) : std::nullopt;
    });
}

limit::Tick Buckets::longest_tolerance() const {
    limit::Tick longest = 0;
    for (const auto& pace : paces_) longest = std::max(longest, pace ? pace->tolerance() : 0);
    return longest;
}

void Buckets::configure(const LimitSettings& settings, std::size_t max_keys, limit::Tick now) {
    const auto old_quotas = quotas_;
    const auto old_paces = paces_;
    set_quotas(settings);
    for (std::size_t i = 0; i < quantities; ++i) {
        if (quotas_[i] == old_quotas[i]) continue;
        ++version;
        table.for_each([&](limit::KeyedTable::Row& row) {
            const bool is_kept = old_paces[i] && paces_[i];
            row.set_bucket(i, is_kept ? old_paces[i]->convert(row.bucket(i), now, *paces_[i]) : limit::Bucket{});
        });
    }
    table.configure(max_keys, longest_tolerance());
}

bool Rule::counts_by(KeyPart part) const {
    return std::find(settings.per.begin(), settings.per.end(), part) != settings.per.end();
}

bool Rule::needs_recipient() const {
    return matcher.needs_recipient() || counts_by(KeyPart::recipient_domain);
}

Rules::Rules(Settings from, const Rules* previous, limit::Tick now) : settings(std::move(from)) {
    std::vector<Rule> left = previous != nullptr ? previous->rules : std::vector<Rule>();
    for (const LimitSettings& limit : settings.limits) {
        auto buckets = take_over(limit, left);
        if (buckets) {
            buckets->configure(limit, settings.max_keys, now);
        } else {
            buckets = std::make_shared<Buckets>(limit, settings.max_keys);
        }
        const bool observes = settings.mode == Mode::observe || limit.mode == Mode::observe;
        rules.push_back({.settings = limit,
                         .mode = observes ? Mode::observe : Mode::enforce,
                         .matcher = Matcher(limit.match),
                         .buckets = std::move(buckets)});

        auto group = std::find_if(groups.begin(), groups.end(), [&](const RuleGroup& other) {
            return rules[other.rules.front()].settings.name == limit.name;
        });
        if (group == groups.end()) group = groups.insert(groups.end(), RuleGroup{});
        group->rules.push_back(static_cast<std::uint32_t>(rules.size() - 1));
        group->needs_recipient |= rules.back().needs_recipient();
        need_recipients |= group->needs_recipient;
    }
}

std::optional<std::uint32_t> Rules::choose(const RuleGroup& group, const Identity& identity,
                                           const RecipientDomain* recipient) const {
    const auto domain = recipient != nullptr ? view(recipient->whole) : std::string_view();
    std::optional<std::uint32_t> chosen;
    std::optional<Specificity> closest;
    for (const std::uint32_t index : group.rules) {
        const Rule& rule = rules[index];
        if (identity.login().empty() && rule.counts_by(KeyPart::login)) continue;
        const auto specificity = rule.matcher.match(identity, domain);
        if (!specificity || (closest && *specificity <= *closest)) continue;
        closest = specificity;
        chosen = index;
    }
    return chosen;
}

limit::Key Rules::key(const Rule& rule, const Identity& identity, const RecipientDomain* recipient,
                      const Identifier& identifier) const {
    std::array<limit::Key, 8> parts;
    std::size_t count = 0;
    for (const KeyPart part : rule.settings.per) {
        if (count == parts.size()) break;
        switch (part) {
            case KeyPart::client:
                parts[count++] = identity.client_key;
                break;
            case KeyPart::login:
                parts[count++] = identity.login_key;
                break;
            case KeyPart::sender:
                parts[count++] = identity.sender_key;
                break;
            case KeyPart::sender_domain:
                parts[count++] = identity.sender_domain_key;
                break;
            case KeyPart::recipient_domain:
                parts[count++] = recipient->key;
                break;
            case KeyPart::relay:
                parts[count++] = relay_key;
                break;
        }
    }
    return identifier.combine(parts.data(), count);
}

}  // namespace weir::policy
