#include "support/weir_process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <mutex>
#include <optional>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

namespace weir::test {

namespace {

[[noreturn]] void throw_errno(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

// A datagram socket for sd_notify(3) messages.
Socket notify_socket(const std::filesystem::path& path) {
    Socket socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path) throw TestFailure("too long for a socket: " + path.native());
    path.native().copy(address.sun_path, sizeof address.sun_path - 1);
    ::unlink(path.c_str());
    if (::bind(socket.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw_errno("bind the notify socket");
    return socket;
}

std::vector<std::string> environment_with(const std::filesystem::path& notify) {
    std::vector<std::string> variables;
    for (char** variable = environ; *variable != nullptr; ++variable)
        if (!std::string_view(*variable).starts_with("NOTIFY_SOCKET=")) variables.emplace_back(*variable);
    variables.push_back("NOTIFY_SOCKET=" + notify.native());
    return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    for (std::string& string : strings) pointers.push_back(string.data());
    pointers.push_back(nullptr);
    return pointers;
}

// Starts it with both outputs going to `output`.
pid_t spawn(std::vector<std::string> arguments, std::vector<std::string> environment, int output) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    pid_t process = 0;
    errno = ::posix_spawn(&process, arguments.front().c_str(), &actions, nullptr, pointers_to(arguments).data(),
                          pointers_to(environment).data());
    ::posix_spawn_file_actions_destroy(&actions);
    if (errno != 0) throw_errno(arguments.front().c_str());
    return process;
}

// One series of the text exposition: name{label="value",...} number
struct Series {
    std::string name;
    WeirProcess::Labels labels;
    double value = 0;
};

Series parse_series(const std::string& line) {
    Series series;
    const auto name_end = line.find_first_of("{ ");
    series.name = line.substr(0, name_end);
    auto at = name_end;
    while (line[at] == '{' || line[at] == ',') {
        const auto equals = line.find("=\"", at);
        const auto quote = line.find('"', equals + 2);
        series.labels[line.substr(at + 1, equals - at - 1)] = line.substr(equals + 2, quote - equals - 2);
        at = quote + 1;
    }
    series.value = std::stod(line.substr(line.find(' ', at)));
    return series;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "weir-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw_errno("mkdtemp");
    path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

// One life of the process. A thread collects what it writes and what it notifies, until its end.
class WeirProcess::Running {
public:
    Running(std::vector<std::string> arguments, const std::filesystem::path& notify) : notify_(notify_socket(notify)) {
        std::array<int, 2> ends;
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("pipe");
        output_ = Socket(ends[0]);
        Socket write_end(ends[1]);
        process_ = spawn(std::move(arguments), environment_with(notify), write_end.descriptor());
        write_end.close();
        watcher_ = std::thread([this] { watch(); });
    }

    ~Running() {
        signal(SIGKILL);
        watcher_.join();
        ::waitpid(process_, nullptr, 0);
    }

    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    // Not reaped before the destructor: until then the number cannot be anybody else's.
    void signal(int number) const { ::kill(process_, number); }

    void limit_descriptors(unsigned most) const {
        rlimit limit{};
        if (::prlimit(process_, RLIMIT_NOFILE, nullptr, &limit) != 0) throw_errno("prlimit");
        limit.rlim_cur = most;
        if (::prlimit(process_, RLIMIT_NOFILE, &limit, nullptr) != 0) throw_errno("prlimit");
    }

    void wait_ready(unsigned times) {
        wait_until("READY=1", patience, [&] { return ready_ >= times || exit_status_; });
        if (exit_status_) throw TestFailure("weir ended with " + std::to_string(*exit_status_) + ":\n" + log());
    }

    [[nodiscard]] unsigned times_ready() {
        const std::lock_guard lock(mutex_);
        return ready_;
    }

    [[nodiscard]] int wait_exit(std::chrono::seconds limit) {
        wait_until("its end", limit, [&] { return exit_status_.has_value(); });
        return *exit_status_;
    }

    void wait_for_log(std::string_view text) {
        wait_until("a log line", patience, [&] { return log_.find(text) != std::string::npos; });
    }

    [[nodiscard]] std::string log() {
        const std::lock_guard lock(mutex_);
        return log_;
    }

private:
    template <class Ready>
    void wait_until(const char* what, std::chrono::seconds limit, Ready ready) {
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, limit, ready)) return;
        throw TestFailure(std::string("waited in vain for ") + what + " of weir:\n" + log_);
    }

    void watch() {
        std::array<pollfd, 2> sources{{{.fd = output_.descriptor(), .events = POLLIN, .revents = 0},
                                       {.fd = notify_.descriptor(), .events = POLLIN, .revents = 0}}};
        for (;;) {
            if (::poll(sources.data(), sources.size(), -1) < 0) continue;
            if (sources[1].revents != 0) take_notification();
            if (sources[0].revents != 0 && !take_output()) break;
        }
        siginfo_t end{};
        ::waitid(P_PID, static_cast<id_t>(process_), &end, WEXITED | WNOWAIT);
        const std::lock_guard lock(mutex_);
        exit_status_ = end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
        changed_.notify_all();
    }

    void take_notification() {
        std::array<char, 4096> bytes;
        const ssize_t count = ::recv(notify_.descriptor(), bytes.data(), bytes.size(), 0);
        const std::string_view text(bytes.data(), count < 0 ? 0 : static_cast<std::size_t>(count));
        const std::lock_guard lock(mutex_);
        if (text.find("READY=1") != std::string_view::npos) ++ready_;
        changed_.notify_all();
    }

    /// False at end of file.
    bool take_output() {
        std::array<char, 65536> bytes;
        const ssize_t count = ::read(output_.descriptor(), bytes.data(), bytes.size());
        if (count <= 0) return false;
        const std::lock_guard lock(mutex_);
        log_.append(bytes.data(), static_cast<std::size_t>(count));
        changed_.notify_all();
        return true;
    }

    Socket notify_;
    Socket output_;
    pid_t process_ = 0;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::string log_;
    unsigned ready_ = 0;
    std::optional<int> exit_status_;

    std::thread watcher_;
};

WeirProcess::WeirProcess(std::string_view yaml, Words words, unsigned most_descriptors)
    : words_(std::move(words)), most_descriptors_(most_descriptors) {
    words_["dir"] = directory_.path().native();
    rewrite(yaml);
    start();
}

WeirProcess::~WeirProcess() {
    running_->signal(SIGKILL);
    (void)running_->wait_exit(patience);
    const std::string all = log();
    if (all.find("Sanitizer") != std::string::npos) ADD_FAILURE() << "a sanitizer spoke up";
    if (testing::Test::HasFailure()) std::cerr << "---- weir's log ----\n" << all << "---- end of log ----\n";
}

namespace {

/// The weir of this build, or another one: scripts/test.sh has these tests start one that a sanitizer watches.
std::string binary() {
    const char* const other = std::getenv("WEIR_BINARY");
    return other != nullptr ? other : WEIR_BINARY;
}

}  // namespace

void WeirProcess::start() {
    const auto& directory = directory_.path();
    std::vector<std::string> command{binary(), "run", "--config", directory / "weir.yaml"};
    if (most_descriptors_ > 0) {
        const std::string limit = "ulimit -n " + std::to_string(most_descriptors_) + R"( && exec "$0" "$@")";
        command.insert(command.begin(), {"/bin/sh", "-c", limit});
    }
    running_ = std::make_unique<Running>(std::move(command), directory / "notify");
    running_->wait_ready(1);
}

std::uint16_t WeirProcess::port(const std::string& word) const {
    const auto found = ports_.find(word);
    if (found == ports_.end()) throw TestFailure("the configuration has no {{" + word + "}}");
    return found->second.number();
}

const std::filesystem::path& WeirProcess::directory() const {
    return directory_.path();
}

std::string WeirProcess::fill_in(std::string_view yaml) {
    std::string text(yaml);
    for (auto begin = text.find("{{"); begin != std::string::npos; begin = text.find("{{", begin)) {
        const auto end = text.find("}}", begin);
        const std::string word = text.substr(begin + 2, end - begin - 2);
        if (!words_.contains(word)) words_[word] = "127.0.0.1:" + std::to_string(ports_[word].number());
        text.replace(begin, end + 2 - begin, words_[word]);
    }
    return text;
}

void WeirProcess::rewrite(std::string_view yaml) {
    std::ofstream(directory_.path() / "weir.yaml") << fill_in(yaml);
}

void WeirProcess::reload(std::string_view yaml) {
    rewrite(yaml);
    const unsigned before = running_->times_ready();
    signal(SIGHUP);
    running_->wait_ready(before + 1);
}

void WeirProcess::limit_descriptors(unsigned most) const {
    running_->limit_descriptors(most);
}

void WeirProcess::signal(int number) const {
    running_->signal(number);
}

int WeirProcess::wait_exit(std::chrono::seconds limit) {
    return running_->wait_exit(limit);
}

void WeirProcess::restart(int with_signal) {
    signal(with_signal);
    (void)wait_exit();
    earlier_log_ = log();
    start();
}

std::string WeirProcess::log() const {
    return earlier_log_ + running_->log();
}

void WeirProcess::wait_for_log(std::string_view text) const {
    running_->wait_for_log(text);
}

HttpResponse WeirProcess::admin(const HttpRequest& request) const {
    return http(port("admin"), request);
}

std::string WeirProcess::metrics() const {
    const HttpResponse response = admin({.target = "/metrics"});
    if (response.status != 200) throw TestFailure("/metrics answered " + std::to_string(response.status));
    return response.body;
}

double WeirProcess::metric(const std::string& name, const Labels& labels) const {
    double sum = 0;
    std::istringstream lines(metrics());
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(name)) continue;
        const Series series = parse_series(line);
        if (series.name == name && std::ranges::includes(series.labels, labels)) sum += series.value;
    }
    return sum;
}

void WeirProcess::wait_for_metric(const std::string& name, const Labels& labels, double value) const {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    double seen = metric(name, labels);
    // Another process's counter announces no change: looking again is all there is.
    while (seen != value && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        seen = metric(name, labels);
    }
    if (seen != value) throw TestFailure(name + " is " + std::to_string(seen) + ", not " + std::to_string(value));
}

}  // namespace weir::test
