#include "weir/sim/model.hpp"

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>
#include <map>
#include <unordered_map>

#include "allowance_window.hpp"
#include "fault_plan.hpp"
#include "greylist.hpp"
#include "reputation.hpp"
#include "unknown_users.hpp"

namespace weir::sim {
namespace {

std::string domain_of(std::string_view address) {
    const auto at = address.rfind('@');
    if (at == std::string_view::npos) return {};
    return boost::algorithm::to_lower_copy(std::string(address.substr(at + 1)));
}

std::string key_of(LimitSettings::Per per, const std::string& host, const std::string& sender) {
    switch (per) {
        case LimitSettings::Per::host:
            return host;
        case LimitSettings::Per::sender:
            return boost::algorithm::to_lower_copy(sender);
        case LimitSettings::Per::sender_domain:
            return domain_of(sender);
    }
    return {};
}

/// One entry of `limits:` with a window for each of its keys.
class Limit {
public:
    Limit(const LimitSettings& settings, core::TimePoint epoch) : settings_(settings), epoch_(epoch) {}

    [[nodiscard]] const LimitSettings& settings() const { return settings_; }

    /// Where a place is held: where the limit is checked, but not before the thing it counts is there.
    [[nodiscard]] Stage holds_at() const {
        const bool counts_messages = settings_.unit == LimitSettings::Unit::messages;
        return std::max(settings_.stage, counts_messages ? Stage::mail : Stage::rcpt);
    }

    AllowanceWindow& window(const std::string& key, core::TimePoint now) {
        if (windows_.size() >= sweep_at_) sweep(now);
        return windows_.try_emplace(key, settings_.window, settings_.quota, epoch_).first->second;
    }

private:
    void sweep(core::TimePoint now) {
        for (auto item = windows_.begin(); item != windows_.end();) {
            item = item->second.is_idle(now) ? windows_.erase(item) : std::next(item);
        }
        sweep_at_ = std::max<std::size_t>(1024, windows_.size() * 2);
    }

    const LimitSettings& settings_;
    core::TimePoint epoch_;
    std::unordered_map<std::string, AllowanceWindow> windows_;  ///< visits point into it: elements must not move
    std::size_t sweep_at_ = 1024;
};

}  // namespace

struct HostState {
    std::string name;
    std::uint32_t connections = 0;
    std::optional<Reputation> reputation;
};

struct IspModel::Impl {
    explicit Impl(IspSettings isp_settings);

    HostState& host(const core::IpAddress& address, core::TimePoint now);
    void begin(core::TimePoint now);

    /// The answer of `decide`, unless a fault strikes first; slower by the stage's latency.
    template <class Decide>
    Answer at(Stage stage, const Visit& visit, Decide decide);

    Answer refuse(Reason reason, const smtp::Reply& pattern, const Visit& visit, core::Duration wait = {},
                  std::string_view recipient = {}) const;

    Answer decide_greeting(Visit& visit, core::TimePoint now);
    Answer decide_mail(Visit& visit, std::string_view sender, core::TimePoint now);
    Answer decide_rcpt(Visit& visit, std::string_view recipient, core::TimePoint now);
    std::optional<Answer> check_limits(Stage stage, Visit& visit, core::TimePoint now);

    /// The transaction is over: what it held is used up if it `counts`, else given back.
    void settle(Visit& visit, bool counts, core::TimePoint now);

    const IspSettings settings;
    std::vector<Limit> limits;
    std::optional<Greylist> greylist;
    std::optional<UnknownUsers> unknown_users;
    FaultPlan faults;
    std::map<core::IpAddress, HostState> hosts;
    bool begun = false;
};

IspModel::Impl::Impl(IspSettings isp_settings)
    : settings(std::move(isp_settings)), faults(settings.faults, settings.seed) {
    if (settings.greylisting) greylist.emplace(*settings.greylisting);
    if (settings.unknown_users) unknown_users.emplace(*settings.unknown_users);
}

/// The first event is the epoch that fixed windows are counted from.
void IspModel::Impl::begin(core::TimePoint now) {
    if (begun) return;
    begun = true;
    for (const LimitSettings& limit : settings.limits) limits.emplace_back(limit, now);
}

HostState& IspModel::Impl::host(const core::IpAddress& address, core::TimePoint now) {
    const auto [found, is_new] = hosts.try_emplace(address);
    if (is_new) {
        found->second.name = core::format_ip(address);
        if (settings.reputation) found->second.reputation.emplace(*settings.reputation, now);
    }
    return found->second;
}

Answer IspModel::Impl::refuse(Reason reason, const smtp::Reply& pattern, const Visit& visit, core::Duration wait,
                              std::string_view recipient) const {
    Answer answer;
    answer.reply = filled(pattern, {.client = visit.state_->name,
                                    .hostname = settings.hostname,
                                    .sender = visit.sender_,
                                    .recipient = recipient,
                                    .wait = wait});
    // RFC 5321 3.8: 421 is the one reply after which the server closes the channel.
    if (answer.reply->code == 421) answer.then = Answer::Then::close;
    answer.reason = reason;
    return answer;
}

template <class Decide>
Answer IspModel::Impl::at(Stage stage, const Visit& visit, Decide decide) {
    const core::Duration latency = settings.latency[static_cast<std::size_t>(stage)];
    const FaultSettings* fault = faults.strike(stage);
    if (fault == nullptr) {
        Answer answer = decide();
        answer.delay += latency;
        return answer;
    }
    if (const auto* stall = std::get_if<FaultSettings::Stall>(&fault->what)) {
        Answer answer = decide();
        answer.delay += latency + stall->time;
        return answer;
    }
    Answer answer;
    if (const auto* say = std::get_if<FaultSettings::Say>(&fault->what)) {
        answer = refuse(Reason::fault, say->reply, visit);
    } else if (const auto* raw = std::get_if<FaultSettings::Raw>(&fault->what)) {
        answer.raw = raw->bytes;
    } else {
        const bool is_reset = std::holds_alternative<FaultSettings::Reset>(fault->what);
        answer.then = is_reset ? Answer::Then::reset : Answer::Then::close;
    }
    answer.reason = Reason::fault;
    answer.delay = latency;
    return answer;
}

Answer IspModel::Impl::decide_greeting(Visit& visit, core::TimePoint now) {
    if (settings.max_connections && visit.state_->connections > *settings.max_connections) {
        return refuse(Reason::connections, settings.max_connections_reply, visit);
    }
    if (settings.reputation && settings.reputation->greeting) {
        if (const auto left = visit.state_->reputation->knock(now)) {
            return refuse(Reason::reputation, *settings.reputation->greeting, visit, *left);
        }
    }
    return check_limits(Stage::greeting, visit, now).value_or(Answer{});
}

Answer IspModel::Impl::decide_mail(Visit& visit, std::string_view sender, core::TimePoint now) {
    visit.sender_ = sender;
    if (settings.max_messages_per_connection && visit.messages_ >= *settings.max_messages_per_connection) {
        return refuse(Reason::messages_per_connection, settings.max_messages_reply, visit);
    }
    if (settings.reputation) {
        Reputation& reputation = *visit.state_->reputation;
        const bool is_blocked = settings.reputation->mail && reputation.knock(now);
        if (!is_blocked && reputation.tolerates_message(domain_of(sender), now)) {
            reputation.messages().hold(1);
            visit.charges_.push_back({&reputation.messages(), 1});
        } else if (settings.reputation->mail) {
            return refuse(Reason::reputation, *settings.reputation->mail, visit, reputation.time_left(now));
        }
    }
    if (auto refusal = check_limits(Stage::mail, visit, now)) return *refusal;
    ++visit.messages_;
    return {};
}

Answer IspModel::Impl::decide_rcpt(Visit& visit, std::string_view recipient, core::TimePoint now) {
    if (settings.recipients_per_message && visit.recipients_ >= *settings.recipients_per_message) {
        return refuse(Reason::recipients_per_message, settings.recipients_per_message_reply, visit, {}, recipient);
    }
    const bool is_unknown = unknown_users && unknown_users->contains(recipient);
    if (settings.reputation) {
        // Where the line is crossed the block begins, but this recipient still gets the answer it would have got.
        static_cast<void>(visit.state_->reputation->tolerates_recipient(is_unknown, now));
    }
    if (is_unknown) return refuse(Reason::unknown_user, settings.unknown_users->reply, visit, {}, recipient);
    if (greylist) {
        const std::string triple = visit.state_->name + '\n' + visit.sender_ + '\n' + std::string(recipient);
        if (const auto left = greylist->wait(triple, now)) {
            return refuse(Reason::greylisting, settings.greylisting->reply, visit, *left, recipient);
        }
    }
    if (auto refusal = check_limits(Stage::rcpt, visit, now)) return *refusal;
    ++visit.recipients_;
    return {};
}

std::optional<Answer> IspModel::Impl::check_limits(Stage stage, Visit& visit, core::TimePoint now) {
    struct Place {
        AllowanceWindow* window;
        std::uint64_t amount;
    };
    std::vector<Place> places;
    for (Limit& limit : limits) {
        const LimitSettings& rule = limit.settings();
        if (stage != rule.stage && stage != limit.holds_at()) continue;
        const bool counts_all = rule.unit == LimitSettings::Unit::recipients && stage > Stage::rcpt;
        const std::uint64_t amount = counts_all ? visit.recipients_ : 1;
        if (amount == 0) continue;
        AllowanceWindow& window = limit.window(key_of(rule.per, visit.state_->name, visit.sender_), now);
        if (stage == rule.stage && !window.has_room(now, amount)) {
            return refuse(Reason::limit, rule.reply, visit, window.wait(now, amount));
        }
        if (stage == limit.holds_at()) places.push_back({&window, amount});
    }
    // All limits say yes, or none is charged.
    for (const Place& place : places) {
        place.window->hold(place.amount);
        visit.charges_.push_back({place.window, place.amount});
    }
    return std::nullopt;
}

void IspModel::Impl::settle(Visit& visit, bool counts, core::TimePoint now) {
    for (const Visit::Charge& charge : visit.charges_) {
        if (counts) {
            charge.window->use(now, charge.amount);
        } else {
            charge.window->give_back(charge.amount);
        }
    }
    visit.charges_.clear();
    visit.recipients_ = 0;
    visit.sender_.clear();
}

IspModel::IspModel(IspSettings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}

IspModel::~IspModel() = default;

Answer IspModel::connect(Visit& visit, core::TimePoint now) {
    impl_->begin(now);
    visit.state_ = &impl_->host(visit.host_, now);
    ++visit.state_->connections;
    Answer first = impl_->at(Stage::connect, visit, [] { return Answer{}; });
    if (!first.is_yes()) return first;
    Answer answer = impl_->at(Stage::greeting, visit, [&] { return impl_->decide_greeting(visit, now); });
    answer.delay += first.delay;
    return answer;
}

void IspModel::leave(Visit& visit) {
    abandon(visit);
    --visit.state_->connections;
}

Answer IspModel::hello(Visit& visit, core::TimePoint) {
    abandon(visit);  // RFC 5321 4.1.4: EHLO is a RSET too
    return impl_->at(Stage::ehlo, visit, [] { return Answer{}; });
}

Answer IspModel::mail(Visit& visit, std::string_view sender, core::TimePoint now) {
    Answer answer = impl_->at(Stage::mail, visit, [&] { return impl_->decide_mail(visit, sender, now); });
    if (!answer.is_yes()) abandon(visit);
    return answer;
}

Answer IspModel::rcpt(Visit& visit, std::string_view recipient, core::TimePoint now) {
    return impl_->at(Stage::rcpt, visit, [&] { return impl_->decide_rcpt(visit, recipient, now); });
}

Answer IspModel::data(Visit& visit, core::TimePoint now) {
    const auto decide = [&] { return impl_->check_limits(Stage::data, visit, now).value_or(Answer{}); };
    Answer answer = impl_->at(Stage::data, visit, decide);
    if (!answer.is_yes()) abandon(visit);
    return answer;
}

Answer IspModel::body(Visit& visit, core::TimePoint) {
    return impl_->at(Stage::body, visit, [] { return Answer{}; });
}

Answer IspModel::end(Visit& visit, core::TimePoint now) {
    const auto decide = [&] { return impl_->check_limits(Stage::dot, visit, now).value_or(Answer{}); };
    Answer answer = impl_->at(Stage::dot, visit, decide);
    impl_->settle(visit, answer.is_yes(), now);
    return answer;
}

Answer IspModel::accepted(Visit& visit, core::TimePoint) {
    return impl_->at(Stage::accepted, visit, [] { return Answer{}; });
}

Answer IspModel::rset(Visit& visit, core::TimePoint) {
    abandon(visit);
    return impl_->at(Stage::rset, visit, [] { return Answer{}; });
}

Answer IspModel::quit(Visit& visit, core::TimePoint) {
    abandon(visit);
    return impl_->at(Stage::quit, visit, [] { return Answer{}; });
}

void IspModel::abandon(Visit& visit) {
    impl_->settle(visit, false, {});
}

IspModel::Blocks IspModel::blocks(core::TimePoint now) const {
    Blocks sum;
    for (const auto& [address, host] : impl_->hosts) {
        if (!host.reputation) continue;
        sum.now += host.reputation->is_blocked(now) ? 1U : 0U;
        sum.started += host.reputation->blocks_started();
        sum.total += host.reputation->time_blocked(now);
    }
    return sum;
}

std::string_view to_string(Reason reason) {
    switch (reason) {
        case Reason::none:
            return "none";
        case Reason::connections:
            return "connections";
        case Reason::messages_per_connection:
            return "messages_per_connection";
        case Reason::recipients_per_message:
            return "recipients_per_message";
        case Reason::limit:
            return "limit";
        case Reason::reputation:
            return "reputation";
        case Reason::greylisting:
            return "greylisting";
        case Reason::unknown_user:
            return "unknown_user";
        case Reason::fault:
            return "fault";
        case Reason::protocol:
            return "protocol";
    }
    return "unknown";
}

}  // namespace weir::sim
