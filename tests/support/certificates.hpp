#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace weir::test {

/// A certificate and its key, in two PEM files.
struct Identity {
    std::filesystem::path certificate;
    std::filesystem::path key;
};

/// How a server speaks TLS.
struct TlsManners {
    bool wrapper = false;  ///< from the first byte, instead of after STARTTLS
    std::filesystem::path
        client_ca{};      ///< clients must show a certificate that this CA has signed; empty: they need not
    bool is_old = false;  ///< nothing newer than TLS 1.1
};

/// A certificate authority that exists for one test.
///
/// Owns: nothing of the directory that its files are in.
class TestCa {
public:
    explicit TestCa(std::filesystem::path directory);
    ~TestCa();
    TestCa(const TestCa&) = delete;
    TestCa& operator=(const TestCa&) = delete;

    /// Its own certificate: whoever trusts this file trusts what it issues.
    [[nodiscard]] std::filesystem::path file() const;

    /// A certificate for these subject alternative names, "DNS:relay.test" or "IP:127.0.0.1"; valid from yesterday
    /// for `lifetime`, so that a negative one makes it expired.
    [[nodiscard]] Identity issue(const std::vector<std::string>& names,
                                 std::chrono::hours lifetime = std::chrono::hours(24 * 30)) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::test
