#include "weir/limit/gcra.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace weir::limit {
namespace {

constexpr std::uint64_t most_units = 1'000'000'000'000;
constexpr core::Duration longest_window = std::chrono::hours(366 * 24);
constexpr Tick unpayable = std::numeric_limits<Tick>::max();

// Rounding an interval up by one errs by at most 0.1 % from here on, and by a millionth with fractions.
constexpr std::uint64_t coarse_enough = 1'000;
constexpr std::uint64_t fine_enough = 1U << 20;

// Returns are counted in 65536ths of a burst; further back than two bursts no charge can still be outstanding.
constexpr unsigned return_bits = 16;
constexpr std::uint32_t most_returns = 2U << return_bits;

constexpr std::uint64_t divide_up(std::uint64_t dividend, std::uint64_t divisor) {
    return dividend / divisor + (dividend % divisor != 0 ? 1 : 0);
}

}  // namespace

Tick OneWayClock::advance(core::TimePoint now) {
    latest_ = std::max(latest_, std::min<Tick>(now.time_since_epoch().count(), horizon));
    return latest_;
}

Pace::Pace(const core::Quota& quota) : burst_(std::clamp<std::uint64_t>(quota.burst, 1, most_units)) {
    const auto count = std::clamp<std::uint64_t>(quota.rate.count, 1, most_units);
    const auto per = static_cast<std::uint64_t>(std::clamp(quota.rate.per, core::Duration{1}, longest_window).count());
    interval_ = divide_up(per, count);
    if (interval_ < coarse_enough) {
        // per << fraction_bits stays below count x fine_enough x 2, hence below 2^62.
        while (interval_ < fine_enough) interval_ = divide_up(per << ++fraction_bits_, count);
    }
    tolerance_ = horizon;  // price() measures against it
    tolerance_ = std::min(price(burst_), horizon);
    return_unit_ = (tolerance_ >> return_bits) + 1;
}

Tick Pace::price(std::uint64_t cost) const {
    std::uint64_t scaled = 0;
    if (cost > burst_ || __builtin_mul_overflow(cost, interval_, &scaled)) return unpayable;
    const std::uint64_t price = divide_up(scaled, std::uint64_t{1} << fraction_bits_);
    return price > static_cast<std::uint64_t>(tolerance_) ? unpayable : static_cast<Tick>(price);
}

core::Duration Pace::wait(const Bucket& bucket, Tick now, std::uint64_t cost) const {
    const Tick due = price(cost);
    if (due == unpayable) return core::Duration::max();
    const Tick debt = std::max<Tick>(bucket.full_at - now, 0);
    return core::Duration(std::max<Tick>(debt + due - tolerance_, 0));
}

Charge Pace::take(Bucket& bucket, Tick now, std::uint64_t cost) const {
    const Tick due = price(cost);
    bucket.full_at = std::max(bucket.full_at, now) + due;
    return {.amount = due, .full_at = bucket.full_at, .returned = bucket.returned};
}

Tick Pace::give_back(Bucket& bucket, Tick now, const Charge& charge) const {
    const std::uint32_t returned_since = bucket.returned - charge.returned;
    if (returned_since > most_returns) return 0;
    const Tick least_debt = charge.full_at - now - returned_since * return_unit_;
    const Tick amount = std::min(charge.amount, least_debt);
    if (amount <= 0) return 0;
    bucket.full_at -= amount;
    bucket.returned += static_cast<std::uint32_t>((amount + return_unit_ - 1) / return_unit_);
    return amount;
}

std::uint64_t Pace::available(const Bucket& bucket, Tick now) const {
    const Tick room = tolerance_ - std::max<Tick>(bucket.full_at - now, 0);
    if (room <= 0) return 0;
    const auto units = (static_cast<unsigned __int128>(room) << fraction_bits_) / interval_;
    return std::min(static_cast<std::uint64_t>(units), burst_);
}

Bucket Pace::convert(const Bucket& bucket, Tick now, const Pace& next) const {
    if (bucket.full_at <= now) return {};
    const auto debt = static_cast<long double>(bucket.full_at - now);
    const auto scaled = std::ceil(debt * next.nanoseconds_a_unit() / nanoseconds_a_unit());
    const bool fits = scaled < static_cast<long double>(next.tolerance_);
    return {.full_at = now + (fits ? static_cast<Tick>(scaled) : next.tolerance_)};
}

long double Pace::nanoseconds_a_unit() const {
    return std::ldexp(static_cast<long double>(interval_), -static_cast<int>(fraction_bits_));
}

Decision Gcra::try_acquire(core::TimePoint now, std::uint64_t cost) {
    const Tick tick = clock_.advance(now);
    const core::Duration wait = pace_.wait(bucket_, tick, cost);
    if (wait > core::Duration::zero()) return {.admitted = false, .retry_after = wait, .charge = {}};
    return {.admitted = true, .retry_after = {}, .charge = pace_.take(bucket_, tick, cost)};
}

void Gcra::refund(core::TimePoint now, const Charge& charge) {
    pace_.give_back(bucket_, clock_.advance(now), charge);
}

}  // namespace weir::limit
