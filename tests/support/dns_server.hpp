#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/socket.hpp"

namespace weir::test {

/// A name server (UDP) that knows what the test tells it, and says NXDOMAIN to everything else.
///
///     DnsServer names;
///     names.address("relay.test", "127.0.0.2");
///     names.mail_host("isp.test", 10, "relay.test");
///
/// Threads: all functions may be called from any thread.
class DnsServer {
public:
    enum class Type : std::uint16_t { a = 1, mx = 15, aaaa = 28 };

    DnsServer();
    ~DnsServer();
    DnsServer(const DnsServer&) = delete;
    DnsServer& operator=(const DnsServer&) = delete;

    [[nodiscard]] std::string address() const;  ///< "127.0.0.1:PORT", as `upstream.resolver` takes it

    /// An A or AAAA record, by what the address is.
    void address(const std::string& name, const std::string& address, std::uint32_t ttl = 300);
    /// An MX record; an empty `host` is the root, which makes it a null MX.
    void mail_host(const std::string& domain, std::uint16_t preference, const std::string& host,
                   std::uint32_t ttl = 300);
    void forget(const std::string& name);

    void be_silent(bool silent);  ///< no answer to anything
    void be_silent_about(Type type);
    void fail(bool fails);  ///< SERVFAIL to everything

    [[nodiscard]] std::size_t queries(const std::string& name, Type type) const;
    /// Until so many have come.
    void wait_for_queries(const std::string& name, Type type, std::size_t count) const;

private:
    struct Record {
        Type type;
        std::uint32_t ttl;
        std::string data;
    };

    void serve();
    [[nodiscard]] std::string answer_to(const std::string& query);

    Socket socket_;
    mutable std::mutex mutex_;
    std::multimap<std::string, Record> records_;
    std::map<std::pair<std::string, Type>, std::size_t> queries_;
    std::vector<Type> silent_about_;
    bool is_silent_ = false;
    bool fails_ = false;
    bool is_stopping_ = false;
    std::thread server_;
};

}  // namespace weir::test
