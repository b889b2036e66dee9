#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "weir/limit/gcra.hpp"
#include "weir/limit/siphash.hpp"

namespace weir::limit {

/// Which domains each owner has used lately: a bounded working set, as in Williamson's virus throttle.
///
/// When an owner, or all of them together, have more domains than fit, the one unused for longest is forgotten.
/// That errs on the safe side: a forgotten domain counts as new again.
///
/// Time:    a use is noted to the minute.
/// Threads: not synchronised; one owner.
class SeenDomains {
public:
    struct Capacity {
        std::size_t per_owner = 1'024;
        std::size_t total = 65'536;
    };

    enum class Standing : std::uint8_t {
        unknown,    ///< never used, or forgotten
        probation,  ///< first used less than an hour ago
        established,
    };

    static constexpr Tick probation_time = core::Duration(std::chrono::hours(1)).count();

    explicit SeenDomains(Capacity capacity);
    ~SeenDomains();
    SeenDomains(const SeenDomains&) = delete;
    SeenDomains& operator=(const SeenDomains&) = delete;

    [[nodiscard]] Standing standing(const Key& owner, const Key& domain, Tick now) const;

    /// Notes that `owner` has used `domain` at `now`.
    void use(const Key& owner, const Key& domain, Tick now);

    /// It has not been used after all.
    void forget(const Key& owner, const Key& domain);

    /// `owner` wanted one new domain too many: until forgive(), it is_minting().
    void note_refusal(const Key& owner, Tick now);
    void forgive(const Key& owner);
    [[nodiscard]] bool is_minting(const Key& owner) const;

    [[nodiscard]] std::size_t size() const;

private:
    struct Index;
    std::unique_ptr<Index> index_;
};

}  // namespace weir::limit
