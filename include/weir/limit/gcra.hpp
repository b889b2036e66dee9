#pragma once

#include <cstdint>

#include "weir/core/time.hpp"
#include "weir/core/units.hpp"

namespace weir::limit {

/// Steady time in nanoseconds, within +-2^60 (36 years of uptime), so that sums never overflow.
using Tick = std::int64_t;

inline constexpr Tick horizon = Tick{1} << 60;

/// Long ago: the time at which a bucket that nobody has touched became full.
inline constexpr Tick never = -horizon;

/// Time that only goes forward: a `now` in the past is answered with the latest seen.
class OneWayClock {
public:
    Tick advance(core::TimePoint now);
    [[nodiscard]] Tick latest() const { return latest_; }

private:
    Tick latest_ = never;
};

/// One bucket, kept as the time at which it will be full again.
struct Bucket {
    Tick full_at = never;        ///< GCRA's theoretical arrival time
    std::uint32_t returned = 0;  ///< what has been given back, in Pace's units, wrapping around: see Pace::give_back

    bool operator==(const Bucket&) const = default;
};

/// The note of one charge, without which it cannot be given back.
struct Charge {
    Tick amount = 0;             ///< by how much the bucket's time was moved
    Tick full_at = never;        ///< the bucket just after the charge
    std::uint32_t returned = 0;  ///< the bucket's count of returns at that moment
};

/// A quota turned into the arithmetic of the generic cell rate algorithm (ITU-T I.371).
///
/// A unit costs per/count nanoseconds, rounded up, so that the rate is never above the one stated. Below one
/// microsecond a unit (bytes, mostly) the interval carries binary fractions and each cost is rounded up instead.
///
/// Bound:   in any window T what passes is at most `burst + rate x T`, to within a nanosecond of T.
/// Range:   every quota core::parse_quota lets through. Values outside are clamped to it, and a burst worth more
///          than 36 years of its rate to those 36 years.
/// Threads: immutable.
class Pace {
public:
    explicit Pace(const core::Quota& quota);

    /// How long from `now` until `cost` would pass. 0: it passes now. Duration::max(): it is above the burst.
    [[nodiscard]] core::Duration wait(const Bucket& bucket, Tick now, std::uint64_t cost) const;

    /// Charges `cost`. Requires: wait() for the same arguments is 0.
    Charge take(Bucket& bucket, Tick now, std::uint64_t cost) const;

    /// Gives back as much of `charge` as can be given without breaking the bound; returns how much.
    ///
    /// A bucket that was full, even for a moment, would have been no fuller without the charge: what it could not
    /// have held is lost. Had nobody else come, the bucket would be full at `charge.full_at`; others can only have
    /// delayed that, unless they gave back something themselves. So the bucket's debt has never been below
    /// `charge.full_at - (returned since) - now`, and that much can be given back.
    Tick give_back(Bucket& bucket, Tick now, const Charge& charge) const;

    /// How many units would pass at `now`.
    [[nodiscard]] std::uint64_t available(const Bucket& bucket, Tick now) const;

    /// The bucket with the same number of units owed under `next`; what is more than its burst is forgiven.
    [[nodiscard]] Bucket convert(const Bucket& bucket, Tick now, const Pace& next) const;

    /// From empty to full.
    [[nodiscard]] Tick tolerance() const { return tolerance_; }

private:
    [[nodiscard]] Tick price(std::uint64_t cost) const;
    [[nodiscard]] long double nanoseconds_a_unit() const;

    std::uint64_t interval_ = 0;  // nanoseconds a unit, times 2^fraction_bits_
    unsigned fraction_bits_ = 0;
    std::uint64_t burst_ = 1;
    Tick tolerance_ = 0;
    Tick return_unit_ = 1;
};

struct Decision {
    bool admitted = false;
    core::Duration retry_after{};  ///< Duration::max(): never
    Charge charge;
};

/// Generic cell rate algorithm: at most `quota.rate`, in bursts of at most `quota.burst`.
///
/// It behaves as a token bucket, but all that ever changes is one time point (when
/// the bucket would next be full), so nothing has to tick and nothing drifts.
///
/// Units:   cost is in messages, or whatever one unit of the rate counts.
/// Time:    steady time, given by the caller. A `now` in the past is harmless:
///          it is treated as no time having gone by.
/// Errors:  none. Being over the limit is an answer, not a failure.
/// Threads: not synchronised; one owner.
class Gcra {
public:
    explicit Gcra(const core::Quota& quota) : pace_(quota) {}

    /// Takes `cost` at `now`, or takes nothing and says how long to wait.
    /// A cost above the burst can never pass: retry_after is then Duration::max().
    [[nodiscard]] Decision try_acquire(core::TimePoint now, std::uint64_t cost = 1);

    /// Gives a charge back, as far as Pace::give_back allows. Each charge at most once.
    void refund(core::TimePoint now, const Charge& charge);

private:
    Pace pace_;
    OneWayClock clock_;
    Bucket bucket_;
};

}  // namespace weir::limit
