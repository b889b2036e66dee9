#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "weir/core/ip.hpp"
#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/net/name_answer.hpp"

struct ares_channeldata;
struct ares_addrinfo;

namespace weir::net {

struct NameQuestion {
    enum class Kind : std::uint8_t {
        host,       ///< addresses; short names are completed from the search list of resolv.conf
        mail_host,  ///< addresses of a name that is complete
        domain,     ///< MX records
    };
    Kind kind;
    std::string name;
};

/// One question to the name servers (and to /etc/hosts), on a c-ares channel of its own.
///
/// A channel for each question costs little, as answers are cached, and makes much simple: what resolv.conf says counts
/// from the next question on, and nothing of a question outlives it.
///
/// Owns:    the channel and its sockets, which c-ares opens and closes; the loop watches them.
/// Errors:  Errc::name_not_found, Errc::timed_out, or c-ares's own in a category of that name.
/// Cancel:  cancel() drops the question; on_done is then not called.
/// Threads: one thread, the executor's. on_done is never called from within start().
class DnsQuery : public std::enable_shared_from_this<DnsQuery> {
public:
    using OnDone = std::function<void(core::Result<NameAnswer>)>;

    DnsQuery(boost::asio::any_io_executor executor, OnDone on_done);
    ~DnsQuery();
    DnsQuery(const DnsQuery&) = delete;
    DnsQuery& operator=(const DnsQuery&) = delete;

    /// `servers` empty: those of resolv.conf.
    void start(const NameQuestion& question, const std::vector<core::SocketAddress>& servers, core::Duration limit);
    void cancel();

private:
    struct Watch;

    void open(const NameQuestion& question, const std::vector<core::SocketAddress>& servers);
    void ask_for_addresses(const std::string& name);
    void ask_for_mail_hosts(const std::string& name);
    void on_addresses(int status, ares_addrinfo* found, std::vector<core::IpAddress>& family);
    void on_socket(int descriptor, bool readable, bool writable);
    void wait(int descriptor, const std::shared_ptr<Watch>& watch);
    void process(int readable, int writable);
    void arm_retry_timer();
    void arm_limit(core::Duration limit);
    void on_limit();
    [[nodiscard]] bool has_addresses() const { return !v6_.empty() || !v4_.empty(); }
    [[nodiscard]] core::Result<NameAnswer> addresses() const;
    void conclude(core::Result<NameAnswer> answer);
    void close();

    boost::asio::any_io_executor executor_;
    OnDone on_done_;
    ares_channeldata* channel_ = nullptr;
    std::map<int, std::shared_ptr<Watch>> sockets_;
    boost::asio::steady_timer retry_;  ///< when c-ares wants to ask again
    boost::asio::steady_timer limit_;  ///< when we have waited long enough
    std::vector<core::IpAddress> v6_;
    std::vector<core::IpAddress> v4_;
    core::Duration ttl_ = core::Duration::max();
    unsigned outstanding_ = 0;
    std::optional<core::Error> failure_;  ///< a family of addresses got no answer, other than that there are none
    bool over_ = false;
};

}  // namespace weir::net
