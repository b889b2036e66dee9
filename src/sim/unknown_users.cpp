#include "unknown_users.hpp"

#include <re2/re2.h>

#include <boost/algorithm/string/case_conv.hpp>
#include <cstdint>

namespace weir::sim {
namespace {

// FNV-1a, whose high bits are then mixed: std::hash may change with the library, and an address must not.
double place_in_unit_interval(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char character : text) hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3U;
    hash = (hash ^ (hash >> 33U)) * 0xff51afd7ed558ccdU;
    return static_cast<double>((hash ^ (hash >> 33U)) >> 11U) * 0x1p-53;
}

}  // namespace

UnknownUsers::UnknownUsers(const UnknownUserSettings& settings)
    : addresses_(settings.addresses.begin(), settings.addresses.end()), fraction_(settings.fraction) {
    if (!settings.pattern.empty()) pattern_ = std::make_unique<re2::RE2>(settings.pattern, re2::RE2::Quiet);
}

UnknownUsers::~UnknownUsers() = default;

bool UnknownUsers::contains(std::string_view address) const {
    const std::string folded = boost::algorithm::to_lower_copy(std::string(address));
    if (addresses_.contains(folded)) return true;
    if (pattern_ && re2::RE2::PartialMatch(folded, *pattern_)) return true;
    return place_in_unit_interval(folded) < fraction_;
}

}  // namespace weir::sim
