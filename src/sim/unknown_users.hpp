#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "weir/sim/settings.hpp"

namespace re2 {
class RE2;
}

namespace weir::sim {

/// Which addresses do not exist, for as long as the configuration stays the same.
class UnknownUsers {
public:
    /// Requires: a pattern that RE2 takes.
    explicit UnknownUsers(const UnknownUserSettings& settings);
    ~UnknownUsers();

    [[nodiscard]] bool contains(std::string_view address) const;

private:
    std::unordered_set<std::string> addresses_;
    std::unique_ptr<re2::RE2> pattern_;
    double fraction_;
};

}  // namespace weir::sim
