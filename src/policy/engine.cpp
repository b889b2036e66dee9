#include "weir/policy/engine.hpp"

#include <algorithm>
#include <boost/container/small_vector.hpp>

#include "identifier.hpp"
#include "rules.hpp"
#include "weir/limit/recent.hpp"
#include "weir/limit/top_k.hpp"

namespace weir::policy {
namespace {

using limit::Bucket;
using limit::KeyedTable;
using limit::SeenDomains;
using limit::Tick;

// Postfix sends the parts of one message side by side; one that is held comes back after 5 minutes.
constexpr Tick split_window = core::Duration(std::chrono::minutes(10)).count();
// Postfix splits at 50 recipients by default. Small messages under one IDENT are not parts of anything.
constexpr std::uint32_t split_recipients = 10;
constexpr std::size_t recent_messages = 1U << 15;

constexpr std::size_t top_origins_shown = 20;

// Every so many messages each table drops what is full again among so many rows, so that a flood's memory comes
// back although nobody new arrives.
constexpr std::uint32_t messages_between_sweeps = 64;
constexpr std::size_t rows_a_sweep = 64;

constexpr std::size_t index_of(Quantity quantity) {
    return static_cast<std::size_t>(quantity);
}

/// One thing that must pass, of one limit.
struct Demand {
    std::uint16_t application = 0;
    Quantity quantity = Quantity::messages;
    bool is_charged = true;  ///< otherwise it must only be affordable
    std::uint32_t recipient = 0;
    std::uint64_t cost = 0;
    core::Duration wait{};  ///< until it is affordable
};

using Demands = boost::container::small_vector<Demand, 16>;

}  // namespace

struct Engine::Impl {
    Impl(Settings settings, const limit::Seed& hash_seed)
        : seed(hash_seed),
          identifier(hash_seed),
          rules(std::make_shared<Rules>(std::move(settings), nullptr, limit::never)) {}

    [[nodiscard]] static const Rule& rule_of(const Ticket& ticket, std::uint16_t application) {
        return ticket.rules_->rules[ticket.applications_[application].rule];
    }

    std::uint16_t apply(Ticket& ticket, std::uint32_t rule, const RecipientDomain* recipient) const;
    void demand_message(const Ticket& ticket, std::uint16_t application, Tick tick, Demands& demands) const;
    void demand_recipient(Ticket& ticket, const RecipientDomain& domain, Tick tick, Demands& demands) const;
    Answer settle(Ticket& ticket, Demands& demands, const RecipientDomain* recipient, Tick tick);
    void charge(Ticket& ticket, const Demand& demand, Tick tick);
    Hold make_hold(const Ticket& ticket, const Demand& demand, const RecipientDomain* recipient);

    void give_back(const Ticket& ticket, const Ticket::Note& note, Tick tick);
    void forget_minted(const Ticket& ticket, Ticket::Application& application);
    bool is_part_of_another(Ticket& ticket, Tick tick);
    [[nodiscard]] bool is_known_to_be_split(const Ticket& ticket, Tick tick);
    void sweep_now_and_then(Tick tick);

    /// Gives back and strikes out every note that `is_due`, oldest first: see Pace::give_back.
    template <class Predicate>
    void give_back_if(Ticket& ticket, Tick tick, Predicate is_due) {
        for (const Ticket::Note& note : ticket.notes_) {
            if (is_due(note)) give_back(ticket, note, tick);
        }
        const auto kept = std::remove_if(ticket.notes_.begin(), ticket.notes_.end(), is_due);
        ticket.notes_.erase(kept, ticket.notes_.end());
    }

    std::mutex mutex;
    limit::Seed seed;
    limit::OneWayClock clock;
    Identifier identifier;
    std::shared_ptr<const Rules> rules;
    limit::Recent recent{recent_messages};
    limit::TopK top;
    std::uint64_t holds = 0;
    std::uint32_t messages_since_sweep = 0;
};

void Ticket::start(std::shared_ptr<const Rules> rules, std::uint64_t size) {
    rules_ = std::move(rules);
    applications_.clear();
    notes_.clear();
    size_ = size;
    recipients_ = 0;
    is_committed_ = false;
    is_first_part_ = false;
}

/// Finds or adds the limit among those that apply to the ticket.
std::uint16_t Engine::Impl::apply(Ticket& ticket, std::uint32_t rule, const RecipientDomain* recipient) const {
    const Rule& chosen = ticket.rules_->rules[rule];
    const limit::Key key = ticket.rules_->key(chosen, ticket.identity_, recipient, identifier);
    auto& all = ticket.applications_;
    auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& other) { return other.rule == rule && other.key == key; });
    if (found == all.end()) {
        all.push_back({.key = key, .rule = rule, .version = chosen.buckets->version});
        found = all.end() - 1;
    }
    return static_cast<std::uint16_t>(found - all.begin());
}

/// What a limit counts once for a message: itself, its bytes, and its sender's domain if that is new.
void Engine::Impl::demand_message(const Ticket& ticket, std::uint16_t application, Tick tick, Demands& demands) const {
    const Buckets& buckets = *rule_of(ticket, application).buckets;
    const auto demand = [&](Quantity quantity, std::uint64_t cost, bool is_charged) {
        if (buckets.pace(quantity) == nullptr) return;
        demands.push_back({.application = application,
                           .quantity = quantity,
                           .is_charged = is_charged,
                           .recipient = Ticket::whole_message,
                           .cost = cost});
    };
    if (!ticket.is_counted_already_) demand(Quantity::messages, 1, true);
    if (ticket.size_ > 0) demand(Quantity::bytes, ticket.size_, true);
    if (ticket.identity_.has_null_sender()) return;
    // A domain on probation is free, until its owner has been refused another: from then on it passes only while a
    // new one could come, too. So an office that has as many domains as the burst notices nothing, but once a client
    // has minted its budget away and wants more, repeating what it minted does not help it.
    const limit::Key& owner = ticket.applications_[application].key;
    const auto standing = buckets.seen.standing(owner, ticket.identity_.sender_domain_key, tick);
    const bool is_free = standing == SeenDomains::Standing::established ||
                         (standing == SeenDomains::Standing::probation && !buckets.seen.is_minting(owner));
    demand(Quantity::new_sender_domains, is_free ? 0 : 1, standing == SeenDomains::Standing::unknown);
}

void Engine::Impl::demand_recipient(Ticket& ticket, const RecipientDomain& domain, Tick tick, Demands& demands) const {
    const auto demand = [&](std::uint16_t application) {
        demands.push_back({.application = application,
                           .quantity = Quantity::recipients,
                           .is_charged = true,
                           .recipient = ticket.recipients_,
                           .cost = 1});
    };
    for (std::uint16_t i = 0; i < ticket.applications_.size(); ++i) {
        const Rule& rule = rule_of(ticket, i);
        // Those that look at the recipient are chosen below.
        if (!ticket.applications_[i].is_for_recipients && rule.buckets->pace(Quantity::recipients) != nullptr)
            demand(i);
    }
    for (const RuleGroup& group : ticket.rules_->groups) {
        if (!group.needs_recipient) continue;
        const auto rule = ticket.rules_->choose(group, ticket.identity_, &domain);
        if (!rule) continue;
        const std::uint16_t application = apply(ticket, *rule, &domain);
        ticket.applications_[application].is_for_recipients = true;
        if (ticket.applications_[application].recipients == 0) demand_message(ticket, application, tick, demands);
        demand(application);
    }
}

/// Charges all demands or none. Limits in observe mode are charged where they can be, and have no say.
Engine::Answer Engine::Impl::settle(Ticket& ticket, Demands& demands, const RecipientDomain* recipient, Tick tick) {
    Answer answer;
    const Demand* longest = nullptr;
    for (Demand& demand : demands) {
        const Buckets& buckets = *rule_of(ticket, demand.application).buckets;
        const limit::Pace* pace = buckets.pace(demand.quantity);
        if (pace == nullptr) continue;
        const KeyedTable::Row& row = buckets.table.look(ticket.applications_[demand.application].key);
        demand.wait = pace->wait(row.bucket(index_of(demand.quantity)), tick, demand.cost);
        if (demand.wait == core::Duration::zero()) continue;
        if (demand.quantity == Quantity::new_sender_domains && demand.is_charged) {
            rule_of(ticket, demand.application)
                .buckets->seen.note_refusal(ticket.applications_[demand.application].key, tick);
        }
        if (rule_of(ticket, demand.application).mode == Mode::observe) {
            answer.observed.push_back(make_hold(ticket, demand, recipient));
        } else if (longest == nullptr || demand.wait > longest->wait) {
            longest = &demand;
        }
    }
    if (longest != nullptr) {
        answer.hold = make_hold(ticket, *longest, recipient);
        return answer;
    }
    for (const Demand& demand : demands) charge(ticket, demand, tick);
    return answer;
}

void Engine::Impl::charge(Ticket& ticket, const Demand& demand, Tick tick) {
    Ticket::Application& application = ticket.applications_[demand.application];
    Buckets& buckets = *rule_of(ticket, demand.application).buckets;
    const bool is_affordable = demand.wait == core::Duration::zero();
    if (demand.quantity == Quantity::new_sender_domains && is_affordable) {
        buckets.seen.use(application.key, ticket.identity_.sender_domain_key, tick);
        application.minted |= demand.is_charged;
        if (demand.cost > 0) buckets.seen.forgive(application.key);
    }
    if (!demand.is_charged) return;
    Ticket::Note note{
        .charge = {}, .recipient = demand.recipient, .application = demand.application, .quantity = demand.quantity};
    if (const limit::Pace* pace = buckets.pace(demand.quantity); pace != nullptr && is_affordable) {
        KeyedTable::Row& row = buckets.table.obtain(application.key, tick);
        Bucket bucket = row.bucket(index_of(demand.quantity));
        note.charge = pace->take(bucket, tick, demand.cost);
        note.is_shared = row.is_shared();
        row.set_bucket(index_of(demand.quantity), bucket);
    }
    // A recipient is noted in any case: it is what ties the message to the limits that look at recipients.
    if (demand.recipient != Ticket::whole_message) ++application.recipients;
    ticket.notes_.push_back(note);
}

Hold Engine::Impl::make_hold(const Ticket& ticket, const Demand& demand, const RecipientDomain* recipient) {
    const Rule& rule = rule_of(ticket, demand.application);
    ++rule.buckets->held;
    const auto counts = demand.quantity == Quantity::bytes ? core::Counts::bytes : core::Counts::things;
    const core::Quota& quota = *rule.buckets->quota(demand.quantity);
    Hold hold{.limit = rule.settings.name,
              .key = key_text(rule, ticket.rules_->settings, ticket.identity_, recipient),
              .quantity = demand.quantity,
              .rate = core::format_rate(quota.rate, counts),
              .burst = {},
              .retry_after = demand.wait,
              .ref = 0};
    if (demand.wait == core::Duration::max()) hold.burst = core::format_rate({.count = quota.burst, .per = {}}, counts);
    while (hold.ref == 0) {
        const std::uint64_t count = ++holds;
        const std::string_view bytes(reinterpret_cast<const char*>(&count), sizeof count);
        hold.ref = static_cast<std::uint32_t>(limit::siphash(seed, bytes).low & 0xffffff);
    }
    return hold;
}

void Engine::Impl::give_back(const Ticket& ticket, const Ticket::Note& note, Tick tick) {
    const Ticket::Application& application = ticket.applications_[note.application];
    Buckets& buckets = *rule_of(ticket, note.application).buckets;
    const limit::Pace* pace = buckets.pace(note.quantity);
    if (pace == nullptr || application.version != buckets.version) return;
    KeyedTable::Row* row = buckets.table.find(note.is_shared ? limit::Key{} : application.key);
    if (row == nullptr) return;
    Bucket bucket = row->bucket(index_of(note.quantity));
    pace->give_back(bucket, tick, note.charge);
    row->set_bucket(index_of(note.quantity), bucket);
}

/// A domain whose message never reached the relay is new again, or probes would establish domains for nothing.
void Engine::Impl::forget_minted(const Ticket& ticket, Ticket::Application& application) {
    if (!std::exchange(application.minted, false)) return;
    const Rule& rule = ticket.rules_->rules[application.rule];
    rule.buckets->seen.forget(application.key, ticket.identity_.sender_domain_key);
}

/// Whether a part of the same message has been counted already; if not, this one is noted as the first.
bool Engine::Impl::is_part_of_another(Ticket& ticket, Tick tick) {
    if (ticket.message_id_ == 0) return false;
    limit::Recent::Sighting& seen = recent.place(ticket.message_id_);
    const bool is_known = seen.id == ticket.message_id_ && tick - seen.at < split_window;
    const std::uint32_t largest = std::max(is_known ? seen.size : 0, ticket.recipients_);
    if (is_known && largest >= split_recipients) {
        seen.size = largest;
        return true;
    }
    seen = {.id = ticket.message_id_, .at = tick, .size = ticket.recipients_};
    return false;
}

/// Whether a large part of the same message has been let through: then this one must not wait for a second budget.
bool Engine::Impl::is_known_to_be_split(const Ticket& ticket, Tick tick) {
    if (ticket.message_id_ == 0) return false;
    const limit::Recent::Sighting& seen = recent.place(ticket.message_id_);
    return seen.id == ticket.message_id_ && tick - seen.at < split_window && seen.size >= split_recipients;
}

void Engine::Impl::sweep_now_and_then(Tick tick) {
    if (++messages_since_sweep < messages_between_sweeps) return;
    messages_since_sweep = 0;
    for (const Rule& rule : rules->rules) rule.buckets->table.sweep(tick, rows_a_sweep);
}

Engine::Engine(Settings settings, std::uint64_t hash_seed_low, std::uint64_t hash_seed_high)
    : impl_(new Impl(std::move(settings), {.low = hash_seed_low, .high = hash_seed_high})) {}

Engine::~Engine() = default;

Engine::Answer Engine::admit_message(const Envelope& envelope, core::TimePoint now, Ticket& ticket) {
    const std::lock_guard lock(impl_->mutex);
    const Tick tick = impl_->clock.advance(now);
    impl_->sweep_now_and_then(tick);
    ticket.start(impl_->rules, envelope.size);
    impl_->identifier.identify(envelope, ticket.rules_->settings, ticket.identity_);
    ticket.message_id_ = impl_->identifier.message_id(ticket.identity_, envelope.origin.ident);
    ticket.is_counted_already_ = impl_->is_known_to_be_split(ticket, tick);

    Demands demands;
    for (const RuleGroup& group : ticket.rules_->groups) {
        if (group.needs_recipient) continue;
        const auto rule = ticket.rules_->choose(group, ticket.identity_, nullptr);
        if (!rule) continue;
        const std::uint16_t application = impl_->apply(ticket, *rule, nullptr);
        impl_->demand_message(ticket, application, tick, demands);
        if (ticket.rules_->rules[*rule].buckets->pace(Quantity::recipients) != nullptr) {
            demands.push_back(
                {.application = application, .quantity = Quantity::recipients, .is_charged = false, .cost = 1});
        }
    }
    Answer answer = impl_->settle(ticket, demands, nullptr, tick);
    if (answer.hold) ticket.rules_.reset();
    return answer;
}

Engine::Answer Engine::admit_recipient(Ticket& ticket, std::string_view recipient, core::TimePoint now) {
    if (!ticket.rules_) return {};
    const std::lock_guard lock(impl_->mutex);
    const Tick tick = impl_->clock.advance(now);
    const std::size_t applications_before = ticket.applications_.size();
    RecipientDomain domain;
    if (ticket.rules_->need_recipients) domain = impl_->identifier.recipient_domain(recipient);

    Demands demands;
    impl_->demand_recipient(ticket, domain, tick, demands);
    Answer answer = impl_->settle(ticket, demands, &domain, tick);
    if (answer.hold) {
        ticket.applications_.resize(applications_before);
        return answer;
    }
    ++ticket.recipients_;
    return answer;
}

void Engine::refund_recipient(Ticket& ticket, std::size_t index, core::TimePoint now) {
    if (!ticket.rules_) return;
    const std::lock_guard lock(impl_->mutex);
    const Tick tick = impl_->clock.advance(now);
    for (const Ticket::Note& note : ticket.notes_) {
        if (note.recipient == index) --ticket.applications_[note.application].recipients;
    }
    // The message itself was charged to a limit that looks at recipients for those it applies to: when the last of
    // them is gone, so is that charge.
    impl_->give_back_if(ticket, tick, [&](const Ticket::Note& note) {
        const Ticket::Application& application = ticket.applications_[note.application];
        const bool is_orphan = application.is_for_recipients && application.recipients == 0;
        return note.recipient == index || (is_orphan && note.recipient == Ticket::whole_message);
    });
    for (Ticket::Application& application : ticket.applications_) {
        if (application.is_for_recipients && application.recipients == 0) impl_->forget_minted(ticket, application);
    }
}

Engine::Answer Engine::admit_bytes(Ticket& ticket, std::uint64_t extra, core::TimePoint now) {
    if (!ticket.rules_) return {};
    const std::lock_guard lock(impl_->mutex);
    Demands demands;
    for (std::uint16_t i = 0; i < ticket.applications_.size(); ++i) {
        const Ticket::Application& application = ticket.applications_[i];
        if (application.is_for_recipients && application.recipients == 0) continue;
        if (impl_->rule_of(ticket, i).buckets->pace(Quantity::bytes) == nullptr) continue;
        demands.push_back({.application = i,
                           .quantity = Quantity::bytes,
                           .is_charged = true,
                           .recipient = Ticket::whole_message,
                           .cost = extra});
    }
    return impl_->settle(ticket, demands, nullptr, impl_->clock.advance(now));
}

void Engine::commit(Ticket& ticket, core::TimePoint now) {
    if (!ticket.rules_ || std::exchange(ticket.is_committed_, true)) return;
    const std::lock_guard lock(impl_->mutex);
    const Tick tick = impl_->clock.advance(now);
    ticket.is_first_part_ = !impl_->is_part_of_another(ticket, tick);
    if (!ticket.is_first_part_) {
        impl_->give_back_if(ticket, tick, [](const auto& note) { return note.quantity == Quantity::messages; });
        return;
    }
    impl_->top.add(ticket.identity_.client_key.low,
                   [&ticket] { return client_text(ticket.rules_->settings, ticket.identity_); });
}

void Engine::refund(Ticket& ticket, core::TimePoint now) {
    if (!ticket.rules_) return;
    const std::lock_guard lock(impl_->mutex);
    impl_->give_back_if(ticket, impl_->clock.advance(now), [](const auto&) { return true; });
    for (Ticket::Application& application : ticket.applications_) impl_->forget_minted(ticket, application);
    // The next attempt of this message is not a part of one that never arrived.
    if (ticket.is_committed_ && ticket.is_first_part_ && ticket.message_id_ != 0) {
        limit::Recent::Sighting& seen = impl_->recent.place(ticket.message_id_);
        if (seen.id == ticket.message_id_) seen = {};
    }
    ticket.rules_.reset();
}

void Engine::reconfigure(Settings settings) {
    const std::lock_guard lock(impl_->mutex);
    impl_->rules = std::make_shared<Rules>(std::move(settings), impl_->rules.get(), impl_->clock.latest());
}

std::vector<Engine::LimitStatus> Engine::status(core::TimePoint now) const {
    const std::lock_guard lock(impl_->mutex);
    const Tick tick = impl_->clock.advance(now);
    std::vector<LimitStatus> all;
    for (const Rule& rule : impl_->rules->rules) {
        const Buckets& buckets = *rule.buckets;
        LimitStatus status{.name = rule.settings.name,
                           .mode = rule.mode,
                           .tracked_keys = buckets.table.size(),
                           .held = buckets.held,
                           .remaining = std::nullopt};
        const limit::Pace* pace = buckets.pace(Quantity::messages);
        if (pace != nullptr && rule.settings.per == std::vector{KeyPart::relay}) {
            const limit::Key key = impl_->rules->key(rule, {}, nullptr, impl_->identifier);
            status.remaining = pace->available(buckets.table.look(key).bucket(index_of(Quantity::messages)), tick);
        }
        all.push_back(std::move(status));
    }
    return all;
}

std::vector<Engine::TopOrigin> Engine::top_origins() const {
    const std::lock_guard lock(impl_->mutex);
    std::vector<TopOrigin> origins;
    for (auto& entry : impl_->top.top(top_origins_shown)) {
        origins.push_back({.origin = std::move(entry.name), .messages = entry.count});
    }
    return origins;
}

}  // namespace weir::policy
