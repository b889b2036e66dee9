#include "support/dns_server.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace weir::test {
namespace {

constexpr std::size_t header_size = 12;

std::string number16(unsigned value) {
    return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}

std::string wire_name(const std::string& name) {
    std::string wire;
    for (std::size_t at = 0; at < name.size();) {
        const std::size_t dot = std::min(name.find('.', at), name.size());
        wire += static_cast<char>(dot - at);
        wire += name.substr(at, dot - at);
        at = dot + 1;
    }
    return wire + '\0';
}

/// The name of a question, in lower case; `at` is moved behind it.
std::string read_name(const std::string& query, std::size_t& at) {
    std::string name;
    while (at < query.size() && query[at] != '\0') {
        const auto length = static_cast<std::size_t>(query[at]);
        if (!name.empty()) name += '.';
        name += query.substr(at + 1, length);
        at += length + 1;
    }
    ++at;
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return name;
}

}  // namespace

DnsServer::DnsServer() : socket_(Socket::datagram()), server_([this] { serve(); }) {}

DnsServer::~DnsServer() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    server_.join();
}

std::string DnsServer::address() const {
    return "127.0.0.1:" + std::to_string(socket_.local_port());
}

void DnsServer::address(const std::string& name, const std::string& address, std::uint32_t ttl) {
    std::array<char, 16> bytes{};
    const bool is_v4 = inet_pton(AF_INET, address.c_str(), bytes.data()) == 1;
    if (!is_v4 && inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1)
        throw TestFailure("not an address: " + address);
    const std::lock_guard lock(mutex_);
    records_.emplace(name, Record{is_v4 ? Type::a : Type::aaaa, ttl, std::string(bytes.data(), is_v4 ? 4 : 16)});
}

void DnsServer::mail_host(const std::string& domain, std::uint16_t preference, const std::string& host,
                          std::uint32_t ttl) {
    const std::lock_guard lock(mutex_);
    records_.emplace(domain, Record{Type::mx, ttl, number16(preference) + wire_name(host)});
}

void DnsServer::forget(const std::string& name) {
    const std::lock_guard lock(mutex_);
    records_.erase(name);
}

void DnsServer::be_silent(bool silent) {
    const std::lock_guard lock(mutex_);
    is_silent_ = silent;
}

void DnsServer::be_silent_about(Type type) {
    const std::lock_guard lock(mutex_);
    silent_about_.push_back(type);
}

void DnsServer::fail(bool fails) {
    const std::lock_guard lock(mutex_);
    fails_ = fails;
}

std::size_t DnsServer::queries(const std::string& name, Type type) const {
    const std::lock_guard lock(mutex_);
    const auto found = queries_.find({name, type});
    return found == queries_.end() ? 0 : found->second;
}

void DnsServer::wait_for_queries(const std::string& name, Type type, std::size_t count) const {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (queries(name, type) < count) {
        if (std::chrono::steady_clock::now() > deadline) throw TestFailure("nobody asked for " + name);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

void DnsServer::serve() {
    constexpr int look_around_ms = 50;
    for (;;) {
        pollfd waiting{.fd = socket_.descriptor(), .events = POLLIN, .revents = 0};
        ::poll(&waiting, 1, look_around_ms);
        {
            const std::lock_guard lock(mutex_);
            if (is_stopping_) return;
        }
        std::array<char, 1500> bytes;
        sockaddr_storage peer{};
        socklen_t size = sizeof peer;
        auto* const sender = reinterpret_cast<sockaddr*>(&peer);
        const ssize_t count = ::recvfrom(socket_.descriptor(), bytes.data(), bytes.size(), MSG_DONTWAIT, sender, &size);
        if (count < static_cast<ssize_t>(header_size)) continue;
        const std::string answer = answer_to(std::string(bytes.data(), static_cast<std::size_t>(count)));
        if (!answer.empty()) ::sendto(socket_.descriptor(), answer.data(), answer.size(), 0, sender, size);
    }
}

// RFC 1035 4.1: the header, the question as it came, and a record for each that matches.
std::string DnsServer::answer_to(const std::string& query) {
    std::size_t at = header_size;
    const std::string name = read_name(query, at);
    if (at + 4 > query.size()) return {};
    const auto type =
        static_cast<Type>(static_cast<unsigned char>(query[at]) << 8 | static_cast<unsigned char>(query[at + 1]));
    const std::string question = query.substr(header_size, at + 4 - header_size);

    const std::lock_guard lock(mutex_);
    ++queries_[{name, type}];
    if (is_silent_ || std::ranges::count(silent_about_, type) > 0) return {};
    std::string records;
    unsigned count = 0;
    const auto [first, last] = records_.equal_range(name);
    for (auto entry = first; entry != last; ++entry) {
        const Record& record = entry->second;
        if (record.type != type) continue;
        ++count;
        records += number16(0xc000 | header_size) + number16(static_cast<unsigned>(type)) + number16(1) +
                   number16(record.ttl >> 16) + number16(record.ttl & 0xffff) +
                   number16(static_cast<unsigned>(record.data.size())) + record.data;
    }
    constexpr unsigned response = 0x8180;  // recursion desired and available
    constexpr unsigned servfail = 2;
    constexpr unsigned nxdomain = 3;
    const unsigned code = fails_ ? servfail : (first == last ? nxdomain : 0);
    if (code != 0) {
        count = 0;
        records.clear();
    }
    return query.substr(0, 2) + number16(response | code) + number16(1) + number16(count) + number16(0) + number16(0) +
           question + records;
}

}  // namespace weir::test
