#pragma once

#include <stdexcept>
#include <string>

namespace weir::test {

/// What the code under test promised and did not keep. A GoogleTest reports it; a fuzzer lets it escape, which ends the
/// program and so keeps the input.
class BrokenPromise : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// Throws BrokenPromise unless `kept`. Checks in every build, unlike assert().
inline void promise(bool kept, const char* what) {
    if (!kept) throw BrokenPromise(what);
}

}  // namespace weir::test
