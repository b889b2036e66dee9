#include "weir/limit/seen_domains.hpp"

#include <boost/multi_index/composite_key.hpp>
#include <boost/multi_index/hashed_index.hpp>
#include <boost/multi_index/member.hpp>
#include <boost/multi_index/ordered_index.hpp>
#include <boost/multi_index/ranked_index.hpp>
#include <boost/multi_index_container.hpp>

namespace weir::limit {
namespace {

namespace mi = boost::multi_index;

// Moving an entry in two ordered indexes at each message would cost more than the decision itself.
constexpr Tick touch_interval = core::Duration(std::chrono::minutes(1)).count();

struct Entry {
    std::uint64_t owner = 0;
    Key domain;
    Tick first_used = 0;
    Tick last_used = 0;
};

struct ByName {};
struct ByOwner {};
struct ByAge {};

// The keys come from SipHash, so any 64 of their bits are a good hash.
struct TakeHigh {
    std::size_t operator()(const Key& key) const { return static_cast<std::size_t>(key.high); }
};
struct TakeAll {
    std::size_t operator()(std::uint64_t key) const { return static_cast<std::size_t>(key); }
};

using Owner = mi::member<Entry, std::uint64_t, &Entry::owner>;
using Domain = mi::member<Entry, Key, &Entry::domain>;
using LastUsed = mi::member<Entry, Tick, &Entry::last_used>;
using Name = mi::composite_key<Entry, Owner, Domain>;
using Entries = mi::multi_index_container<
    Entry, mi::indexed_by<mi::hashed_unique<mi::tag<ByName>, Name, mi::composite_key_hash<TakeAll, TakeHigh>>,
                          mi::ranked_non_unique<mi::tag<ByOwner>, mi::composite_key<Entry, Owner, LastUsed>>,
                          mi::ordered_non_unique<mi::tag<ByAge>, LastUsed>>>;

}  // namespace

struct SeenDomains::Index {
    Capacity capacity;
    Entries entries;

    [[nodiscard]] auto find(const Key& owner, const Key& domain) const {
        return entries.get<ByName>().find(std::make_tuple(owner.low, domain));
    }

    [[nodiscard]] std::size_t count(std::uint64_t owner) const {
        const auto& by_owner = entries.get<ByOwner>();
        return by_owner.upper_bound_rank(owner) - by_owner.lower_bound_rank(owner);
    }

    void make_room(std::uint64_t owner) {
        auto& by_owner = entries.get<ByOwner>();
        if (count(owner) >= capacity.per_owner) by_owner.erase(by_owner.lower_bound(owner));
        auto& by_age = entries.get<ByAge>();
        if (entries.size() >= capacity.total) by_age.erase(by_age.begin());
    }
};

SeenDomains::SeenDomains(Capacity capacity) : index_(new Index{.capacity = capacity, .entries = {}}) {}

SeenDomains::~SeenDomains() = default;

SeenDomains::Standing SeenDomains::standing(const Key& owner, const Key& domain, Tick now) const {
    const auto entry = index_->find(owner, domain);
    if (entry == index_->entries.get<ByName>().end()) return Standing::unknown;
    return now - entry->first_used >= probation_time ? Standing::established : Standing::probation;
}

void SeenDomains::use(const Key& owner, const Key& domain, Tick now) {
    auto& by_name = index_->entries.get<ByName>();
    const auto entry = index_->find(owner, domain);
    if (entry == by_name.end()) {
        index_->make_room(owner.low);
        by_name.insert({.owner = owner.low, .domain = domain, .first_used = now, .last_used = now});
    } else if (now - entry->last_used >= touch_interval) {
        by_name.modify(entry, [now](Entry& used) { used.last_used = now; });
    }
}

void SeenDomains::forget(const Key& owner, const Key& domain) {
    auto& by_name = index_->entries.get<ByName>();
    const auto entry = index_->find(owner, domain);
    if (entry != by_name.end()) by_name.erase(entry);
}

// A refusal is kept among the owner's domains, under a name that no domain hashes to: it is bounded and ages with them.
void SeenDomains::note_refusal(const Key& owner, Tick now) {
    use(owner, Key{}, now);
}

void SeenDomains::forgive(const Key& owner) {
    forget(owner, Key{});
}

bool SeenDomains::is_minting(const Key& owner) const {
    return index_->find(owner, Key{}) != index_->entries.get<ByName>().end();
}

std::size_t SeenDomains::size() const {
    return index_->entries.size();
}

}  // namespace weir::limit
