#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/http.hpp"
#include "support/socket.hpp"

namespace weir::test {

/// A directory of one's own under the system's temporary directory, gone with its object.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// The real `weir run`, with a configuration written in the test.
///
///     WeirProcess weir(R"(
///     listen: ["{{listen}}"]
///     upstream: {relays: ["{{relay}}"]}
///     admin: {listen: "{{admin}}"}
///     )", {{"relay", relay.address()}});
///     SmtpClient client(weir.port("listen"));
///
/// {{word}} is replaced by what `words` has for it, {{dir}} by a temporary directory, and any other word by
/// 127.0.0.1 and a free port that is its own from then on.
///
/// Ready:   the constructor returns when weir has said READY=1 (sd_notify), which is when its ports are open.
/// Owns:    the process; the destructor kills it when it still runs, and waits for its end. The log of a failed test
///          is printed, and what a sanitizer wrote into it fails the test.
/// Errors:  TestFailure, with weir's log, when it ends or is silent where it must not.
/// Threads: one; the log is collected by a thread of its own.
class WeirProcess {
public:
    using Words = std::map<std::string, std::string>;

    /// `most_descriptors`: its limit of open files, soft and hard (ulimit -n); 0: the one of the test.
    explicit WeirProcess(std::string_view yaml, Words words = {}, unsigned most_descriptors = 0);
    ~WeirProcess();
    WeirProcess(const WeirProcess&) = delete;
    WeirProcess& operator=(const WeirProcess&) = delete;

    /// The port that stands for {{word}}.
    [[nodiscard]] std::uint16_t port(const std::string& word) const;
    [[nodiscard]] const std::filesystem::path& directory() const;

    /// Replaces the configuration file, with the same words, without telling the process.
    void rewrite(std::string_view yaml);
    /// The same, then SIGHUP, then waits for the READY=1 that says the reload is over (sd_notify(3)).
    void reload(std::string_view yaml);

    /// Changes the soft limit of open files of the running process; what is open stays open.
    void limit_descriptors(unsigned most) const;

    void signal(int number) const;
    /// The exit status, or 128 + the number of the signal that ended it, as the shell counts.
    [[nodiscard]] int wait_exit(std::chrono::seconds limit = patience);
    /// Ends it with this signal and starts it again, on the same ports, with the configuration as it is now.
    void restart(int with_signal);

    /// All it has written to standard output and error, over all restarts.
    [[nodiscard]] std::string log() const;
    void wait_for_log(std::string_view text) const;

    using Labels = std::map<std::string, std::string>;
    /// The sum of all series of `name` that have these labels, among others; 0 when there is none. From {{admin}}.
    [[nodiscard]] double metric(const std::string& name, const Labels& labels = {}) const;
    /// Scrapes until it has this value: what a scrape shows may lag behind a reply by a moment.
    void wait_for_metric(const std::string& name, const Labels& labels, double value) const;
    /// The whole exposition.
    [[nodiscard]] std::string metrics() const;
    [[nodiscard]] HttpResponse admin(const HttpRequest& request) const;

private:
    class Running;

    void start();
    [[nodiscard]] std::string fill_in(std::string_view yaml);

    TemporaryDirectory directory_;
    Words words_;
    unsigned most_descriptors_;
    std::map<std::string, ReservedPort> ports_;
    std::string earlier_log_;
    std::unique_ptr<Running> running_;
};

}  // namespace weir::test
