#include "dns_query.hpp"

#define CARES_NO_DEPRECATED  // Debian 13's c-ares deprecates what is all that Debian 12's has
#include <ares.h>
#include <netinet/in.h>
#include <sys/time.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <utility>

namespace weir::net {
namespace {

namespace asio = boost::asio;
using core::Errc;
using core::Error;

constexpr int first_patience_ms = 2000;  // doubled with each of the tries
constexpr int tries = 3;

// How long the addresses of one family wait for those of the other. RFC 8305 3 has 50 ms, for people who look at a
// browser; mail has a little more time, and then the choice.
constexpr core::Duration resolution_delay = std::chrono::milliseconds(200);

class AresCategory final : public boost::system::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "c-ares"; }
    [[nodiscard]] std::string message(int value) const override { return ares_strerror(value); }
};

Error error_of(int status) {
    static const AresCategory category;
    if (status == ARES_ENOTFOUND || status == ARES_ENODATA) return Errc::name_not_found;
    return {status, category};
}

core::Result<core::IpAddress> address_of(const ares_addrinfo_node& node) {
    core::IpAddress result;
    if (node.ai_family == AF_INET6) {
        sockaddr_in6 address{};
        std::memcpy(&address, node.ai_addr, sizeof address);
        std::memcpy(result.bytes.data(), &address.sin6_addr, result.bytes.size());
        return result;
    }
    if (node.ai_family != AF_INET) return Errc::bad_syntax;
    sockaddr_in address{};
    std::memcpy(&address, node.ai_addr, sizeof address);
    result.bytes[10] = result.bytes[11] = 0xff;  // IPv4-mapped
    std::memcpy(result.bytes.data() + 12, &address.sin_addr, 4);
    return result;
}

/// Adds the addresses to `addresses`, returns the shortest TTL of all that led to them.
core::Duration collect(const ares_addrinfo& found, std::vector<core::IpAddress>& addresses) {
    int ttl = std::numeric_limits<int>::max();
    for (const auto* node = found.nodes; node != nullptr; node = node->ai_next) {
        const auto address = address_of(*node);
        if (!address) continue;
        addresses.push_back(*address);
        ttl = std::min(ttl, node->ai_ttl);
    }
    for (const auto* alias = found.cnames; alias != nullptr; alias = alias->next) ttl = std::min(ttl, alias->ttl);
    return std::chrono::seconds(ttl);
}

/// What /etc/hosts says; it is read at once, without waiting for anybody.
NameAnswer look_into_hosts_file(const std::string& name) {
    NameAnswer answer;
    char files[] = "f";
    ares_options options{};
    options.lookups = files;
    ares_channel channel = nullptr;
    if (ares_init_options(&channel, &options, ARES_OPT_LOOKUPS) != ARES_SUCCESS) return answer;
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    const auto on_found = [](void* result, int, int, ares_addrinfo* found) {
        if (found == nullptr) return;
        collect(*found, static_cast<NameAnswer*>(result)->addresses);
        ares_freeaddrinfo(found);
    };
    ares_getaddrinfo(channel, name.c_str(), nullptr, &hints, on_found, &answer);
    ares_destroy(channel);
    return answer;
}

}  // namespace

/// A socket of c-ares that the loop watches.
struct DnsQuery::Watch {
    Watch(const asio::any_io_executor& executor, int fd) : descriptor(executor) {
        Error ignored;  // a socket that cannot be watched gets no answer: the question then runs out of time
        descriptor.assign(fd, ignored);
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() {
        if (descriptor.is_open()) descriptor.release();  // c-ares closes it
    }

    asio::posix::stream_descriptor descriptor;
    bool wants_read = false;
    bool wants_write = false;
    bool reading = false;
    bool writing = false;
};

DnsQuery::DnsQuery(asio::any_io_executor executor, OnDone on_done)
    : executor_(std::move(executor)), on_done_(std::move(on_done)), retry_(executor_), limit_(executor_) {}

DnsQuery::~DnsQuery() {
    over_ = true;
    close();
}

void DnsQuery::start(const NameQuestion& question, const std::vector<core::SocketAddress>& servers,
                     core::Duration limit) {
    if (question.kind != NameQuestion::Kind::domain) {
        NameAnswer known = look_into_hosts_file(question.name);
        if (!known.addresses.empty()) return conclude(std::move(known));
    }
    arm_limit(limit);
    open(question, servers);
    if (over_) return;
    if (question.kind == NameQuestion::Kind::domain) {
        ask_for_mail_hosts(question.name);
    } else {
        ask_for_addresses(question.name);
    }
    arm_retry_timer();
}

void DnsQuery::open(const NameQuestion& question, const std::vector<core::SocketAddress>& servers) {
    char dns_only[] = "b";
    ares_options options{};
    options.lookups = dns_only;
    options.timeout = first_patience_ms;
    options.tries = tries;
    options.flags = question.kind == NameQuestion::Kind::host ? 0 : ARES_FLAG_NOSEARCH;
    options.sock_state_cb = [](void* query, ares_socket_t descriptor, int readable, int writable) {
        static_cast<DnsQuery*>(query)->on_socket(descriptor, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = this;
    int given = ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_QUERY_CACHE
    // Newer ones keep answers for as long as their TTL says; ours is the cache that bounds it.
    options.qcache_max_ttl = 0;
    given |= ARES_OPT_QUERY_CACHE;
#endif
    ares_channel channel = nullptr;
    int status = ares_init_options(&channel, &options, given);
    if (status != ARES_SUCCESS) return conclude(error_of(status));
    channel_ = channel;
    if (servers.empty()) return;
    std::string list;
    for (const core::SocketAddress& server : servers) {
        list += (list.empty() ? "" : ",") + core::format_socket_address(server);
    }
    status = ares_set_servers_ports_csv(channel_, list.c_str());
    if (status != ARES_SUCCESS) conclude(error_of(status));
}

// Two questions instead of one for both families: an answer to one of them is enough, when the other is lost.
void DnsQuery::ask_for_addresses(const std::string& name) {
    outstanding_ = 2;
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_INET6;
    const auto on_v6 = [](void* arg, int status, int, ares_addrinfo* found) {
        auto* query = static_cast<DnsQuery*>(arg);
        query->on_addresses(status, found, query->v6_);
    };
    ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, on_v6, this);
    hints.ai_family = AF_INET;
    const auto on_v4 = [](void* arg, int status, int, ares_addrinfo* found) {
        auto* query = static_cast<DnsQuery*>(arg);
        query->on_addresses(status, found, query->v4_);
    };
    ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, on_v4, this);
}

void DnsQuery::ask_for_mail_hosts(const std::string& name) {
    constexpr int internet = 1;        // RFC 1035 3.2.4
    constexpr int mail_exchange = 15;  // RFC 1035 3.2.2
    const auto on_answer = [](void* arg, int status, int, unsigned char* message, int size) {
        auto* query = static_cast<DnsQuery*>(arg);
        if (status != ARES_SUCCESS) return query->conclude(error_of(status));
        query->conclude(parse_mail_hosts({message, static_cast<std::size_t>(size)}));
    };
    ares_query(channel_, name.c_str(), internet, mail_exchange, on_answer, this);
}

void DnsQuery::on_addresses(int status, ares_addrinfo* found, std::vector<core::IpAddress>& family) {
    if (found != nullptr) {
        if (!over_) ttl_ = std::min(ttl_, collect(*found, family));
        ares_freeaddrinfo(found);
    }
    if (over_) return;
    --outstanding_;
    const Error error = status == ARES_SUCCESS ? Error() : error_of(status);
    if (error && error != Errc::name_not_found) failure_ = error;
    if (outstanding_ == 0) return conclude(addresses());
    if (has_addresses()) arm_limit(resolution_delay);
}

core::Result<NameAnswer> DnsQuery::addresses() const {
    const bool is_half = outstanding_ > 0 || failure_;
    if (!has_addresses()) return failure_.value_or(Errc::name_not_found);
    NameAnswer answer;
    answer.addresses = v6_;
    answer.addresses.insert(answer.addresses.end(), v4_.begin(), v4_.end());
    answer.ttl = is_half ? core::Duration::zero() : ttl_;  // the other half is worth asking for again soon
    return answer;
}

void DnsQuery::on_socket(int descriptor, bool readable, bool writable) {
    if (!readable && !writable) {
        sockets_.erase(descriptor);
        return;
    }
    std::shared_ptr<Watch>& watch = sockets_[descriptor];
    if (!watch) watch = std::make_shared<Watch>(executor_, descriptor);
    watch->wants_read = readable;
    watch->wants_write = writable;
    wait(descriptor, watch);
}

void DnsQuery::wait(int descriptor, const std::shared_ptr<Watch>& watch) {
    // By the time a handler runs, the question may be gone, or the descriptor's number be another socket's.
    const auto on_ready = [self = weak_from_this(), descriptor, watch = std::weak_ptr(watch)](bool Watch::*pending,
                                                                                              bool is_readable) {
        const auto query = self.lock();
        if (!query) return;
        // c-ares may close the descriptor and get its number again for another server: by then this watch must be gone.
        if (const auto ready = watch.lock()) {
            (*ready).*pending = false;
        } else {
            return;
        }
        query->process(is_readable ? descriptor : ARES_SOCKET_BAD, is_readable ? ARES_SOCKET_BAD : descriptor);
    };
    using asio::posix::descriptor_base;
    if (watch->wants_read && !std::exchange(watch->reading, true)) {
        watch->descriptor.async_wait(descriptor_base::wait_read, [on_ready](const Error& error) {
            if (!error) on_ready(&Watch::reading, true);
        });
    }
    if (watch->wants_write && !std::exchange(watch->writing, true)) {
        watch->descriptor.async_wait(descriptor_base::wait_write, [on_ready](const Error& error) {
            if (!error) on_ready(&Watch::writing, false);
        });
    }
}

void DnsQuery::process(int readable, int writable) {
    if (over_) return;
    ares_process_fd(channel_, readable, writable);
    if (over_) return;
    for (const auto& [descriptor, watch] : sockets_) wait(descriptor, watch);
    arm_retry_timer();
}

void DnsQuery::arm_retry_timer() {
    timeval wait_for{};
    if (over_ || ares_timeout(channel_, nullptr, &wait_for) == nullptr) return;
    retry_.expires_after(std::chrono::seconds(wait_for.tv_sec) + std::chrono::microseconds(wait_for.tv_usec));
    retry_.async_wait([self = weak_from_this()](const Error& error) {
        const auto query = self.lock();
        if (!error && query) query->process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    });
}

void DnsQuery::arm_limit(core::Duration limit) {
    limit_.expires_after(limit);
    limit_.async_wait([self = weak_from_this()](const Error& error) {
        const auto query = self.lock();
        if (!error && query) query->on_limit();
    });
}

void DnsQuery::on_limit() {
    if (over_) return;
    if (has_addresses()) return conclude(addresses());
    conclude(Error(Errc::timed_out));
}

/// Later, because c-ares may be on the stack, and must not be destroyed by its own callback.
void DnsQuery::conclude(core::Result<NameAnswer> answer) {
    if (std::exchange(over_, true)) return;
    asio::post(executor_, [self = shared_from_this(), answer = std::move(answer)] {
        self->close();
        if (const OnDone on_done = std::exchange(self->on_done_, {})) on_done(answer);
    });
}

void DnsQuery::cancel() {
    over_ = true;
    on_done_ = {};
    close();
}

void DnsQuery::close() {
    retry_.cancel();
    limit_.cancel();
    if (channel_ != nullptr) ares_destroy(std::exchange(channel_, nullptr));
    sockets_.clear();
}

}  // namespace weir::net
