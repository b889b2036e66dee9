#include "support/fake_upstream.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cctype>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

namespace weir::test {

namespace {

const std::vector<std::string> usual_capabilities = {"PIPELINING", "SIZE 10485760", "8BITMIME",
                                                     "SMTPUTF8",   "DSN",           "ENHANCEDSTATUSCODES"};

Stage stage_of(std::string_view line) {
    std::string verb(line.substr(0, 4));
    std::ranges::transform(verb, verb.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (verb == "EHLO" || verb == "HELO") return Stage::ehlo;
    if (verb == "STAR") return Stage::starttls;
    if (verb == "AUTH") return Stage::auth;
    if (verb == "MAIL") return Stage::mail;
    if (verb == "RCPT") return Stage::rcpt;
    if (verb == "DATA") return Stage::data;
    if (verb == "RSET") return Stage::rset;
    if (verb == "QUIT") return Stage::quit;
    return Stage::other;
}

std::string argument_of(std::string_view line) {
    const auto blank = line.find(' ');
    return blank == std::string_view::npos ? std::string() : std::string(line.substr(blank + 1));
}

std::string base64(std::string_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3), '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                    static_cast<int>(bytes.size()));
    return text;
}

// Where the line with the dot begins, looking from `from` on; npos while it has not come.
std::size_t find_dot_line(const std::string& body, std::size_t from) {
    if (body.starts_with(".\r\n")) return 0;  // an empty message: the CRLF before the dot was that of DATA
    const auto end = body.find("\r\n.\r\n", from);
    return end == std::string::npos ? end : end + 2;
}

}  // namespace

Reaction reply(std::string_view text) {
    return {.say = std::string(text) + "\r\n"};
}

Reaction reply_and_close(std::string_view text) {
    return {.say = std::string(text) + "\r\n", .then = Reaction::Then::close};
}

Reaction drop() {
    return {.say = "", .then = Reaction::Then::close};
}

Reaction reset() {
    return {.say = "", .then = Reaction::Then::reset};
}

Reaction stall(Reaction reaction) {
    reaction.stalls = true;
    return reaction;
}

std::string Transaction::sender() const {
    const auto begin = mail.find('<') + 1;
    return mail.substr(begin, mail.find('>') - begin);
}

// What the threads share, and the one lock around it.
struct FakeUpstream::State {
    State(const std::string& address, std::uint16_t number) : port(address, number) {}

    const ReservedPort port;

    std::mutex mutex;
    std::condition_variable changed;
    std::list<Rule> rules;
    std::vector<std::string> capabilities = usual_capabilities;
    std::optional<Identity> identity;
    TlsManners manners;
    std::optional<std::pair<std::string, std::string>> login;
    std::vector<Transaction> transactions;
    std::vector<std::string> commands;
    std::vector<std::string> clear_text;
    std::size_t logins = 0;
    std::list<Socket*> open;
    std::size_t connections = 0;
    std::size_t stalled = 0;
    std::size_t resumes = 0;
    std::size_t data_without_recipient = 0;
    bool keeps_bodies = true;
    bool stopping = false;

    template <class Action>
    auto locked(Action action) {
        const std::lock_guard lock(mutex);
        changed.notify_all();
        return action();
    }

    template <class Ready>
    void wait_until(const std::string& what, Ready ready) {
        std::unique_lock lock(mutex);
        if (!changed.wait_for(lock, patience, ready)) throw TestFailure("the relay waited in vain for " + what);
    }

    void wait_for_resume() {
        std::unique_lock lock(mutex);
        const std::size_t before = resumes;
        ++stalled;
        changed.notify_all();
        changed.wait(lock, [&] { return resumes != before || stopping; });
        --stalled;
    }

    Reaction reaction_to(const Step& step) {
        const std::lock_guard lock(mutex);
        for (const Rule& rule : rules)
            if (auto reaction = rule(step)) return *reaction;
        return {};
    }
};

// One connection from its greeting to its end.
class FakeUpstream::Dialogue {
public:
    Dialogue(State& relay, Socket& socket, std::size_t number) : relay_(relay), socket_(socket), number_(number) {
        begin_transaction();
    }

    void run() {
        bool goes_on = !relay_.locked([&] { return relay_.manners.wrapper; }) || begin_tls();
        goes_on = goes_on && react(Stage::greeting, "", "220 relay.test ESMTP\r\n");
        while (goes_on) {
            auto line = socket_.read_line();
            if (!line) return;
            line->resize(line->find_last_not_of("\r\n") + 1);
            relay_.locked([&] {
                relay_.commands.push_back(*line);
                if (!is_encrypted_) relay_.clear_text.push_back(*line);
            });
            goes_on = obey(*line);
        }
    }

private:
    // These functions return false when the connection is over.

    bool obey(const std::string& line) {
        const Stage stage = awaiting_login_line_ ? Stage::auth : stage_of(line);
        switch (stage) {
            case Stage::starttls:
                if (!has_identity() || is_encrypted_) return react(stage, line, "502 5.5.1 Not here\r\n");
                if (!react(stage, line, "220 2.0.0 Ready to start TLS\r\n")) return false;
                return said_.starts_with("220") ? begin_tls() : true;
            case Stage::auth:
                return react(stage, line, log_in(line));
            case Stage::ehlo:
                begin_transaction();
                return react(stage, line, capabilities());
            case Stage::mail:
                begin_transaction();
                transaction_.mail = argument_of(line);
                return react(stage, line, lacks_login() ? "530 5.7.0 Log in first\r\n" : "250 2.1.0 Ok\r\n");
            case Stage::rcpt: {
                const bool goes_on = react(stage, line, "250 2.1.5 Ok\r\n");
                if (said_.starts_with('2')) transaction_.recipients.push_back(argument_of(line));
                return goes_on;
            }
            case Stage::data: {
                if (transaction_.recipients.empty()) relay_.locked([&] { ++relay_.data_without_recipient; });
                const bool goes_on = react(stage, line, "354 End data with <CR><LF>.<CR><LF>\r\n");
                return goes_on && said_.starts_with('3') ? read_body() : goes_on;
            }
            case Stage::rset:
                begin_transaction();
                return react(stage, line, "250 2.0.0 Ok\r\n");
            case Stage::quit:
                react(stage, line, "221 2.0.0 Bye\r\n");
                return false;
            default:
                return react(stage, line, "502 5.5.1 Not here\r\n");
        }
    }

    bool has_identity() {
        return relay_.locked([&] { return relay_.identity.has_value(); });
    }

    bool begin_tls() {
        if (!react(Stage::handshake, "", "")) return false;
        const auto [identity, manners] = relay_.locked([&] { return std::pair(*relay_.identity, relay_.manners); });
        is_encrypted_ = socket_.accept_tls(identity, manners);
        return is_encrypted_;
    }

    bool lacks_login() {
        return relay_.locked([&] { return relay_.login.has_value(); }) && !is_logged_in_;
    }

    /// What AUTH PLAIN, AUTH LOGIN and the lines of the latter are answered with (RFC 4954).
    std::string log_in(const std::string& line) {
        const auto login = relay_.locked([&] { return relay_.login; });
        if (!login || (has_identity() && !is_encrypted_)) return "502 5.5.1 Not here\r\n";
        const auto& [name, password] = *login;
        if (line == "AUTH LOGIN") {
            awaiting_login_line_ = 2;
            return "334 " + base64("Username:") + "\r\n";
        }
        bool is_right = line == "AUTH PLAIN " + base64(std::string(1, '\0') + name + '\0' + password);
        if (awaiting_login_line_ == 2) {
            --awaiting_login_line_;
            name_was_right_ = line == base64(name);
            return "334 " + base64("Password:") + "\r\n";
        }
        if (awaiting_login_line_ == 1) {
            --awaiting_login_line_;
            is_right = name_was_right_ && line == base64(password);
        }
        is_logged_in_ = is_right;
        if (!is_right) return "535 5.7.8 Wrong name or password\r\n";
        relay_.locked([&] { ++relay_.logins; });
        return "235 2.7.0 Welcome\r\n";
    }

    bool read_body() {
        std::string& body = transaction_.body;
        const bool keeps_body = relay_.locked([&] { return relay_.keeps_bodies; });
        for (;;) {
            const std::string bytes = socket_.read_some();
            if (bytes.empty()) return false;
            // What may be the beginning of the end is kept in any case, and something before it: only a whole body may
            // begin with its end.
            if (!keeps_body && body.size() > 5) body.replace(0, body.size() - 4, "x");
            const std::size_t seen = body.size() < 4 ? 0 : body.size() - 4;
            body += bytes;
            if (const auto dot = find_dot_line(body, seen); dot != std::string::npos) {
                socket_.unread(std::string_view(body).substr(dot + 3));
                body.resize(keeps_body ? dot : 0);
                return judge();
            }
            if (!react(Stage::body, "", "")) return false;
        }
    }

    bool judge() {
        const Reaction reaction = decide(Stage::dot, "");
        transaction_.verdict = reaction.say.value_or("250 2.0.0 Ok: queued\r\n");
        transaction_.ended = std::chrono::steady_clock::now();
        // Before it is said: whoever has heard the reply finds the transaction.
        relay_.locked([&] { relay_.transactions.push_back(transaction_); });
        const bool goes_on = carry_out(reaction, transaction_.verdict);
        begin_transaction();
        return goes_on;
    }

    bool react(Stage stage, std::string_view line, std::string_view usual) {
        return carry_out(decide(stage, line), usual);
    }

    bool carry_out(const Reaction& reaction, std::string_view usual) {
        said_ = reaction.say.value_or(std::string(usual));
        if (reaction.in_pieces) {
            for (const char& byte : said_) {
                socket_.write({&byte, 1});
                socket_.wait_until_read();
            }
        } else {
            socket_.write_in_one_breath(said_, reaction.also);
        }
        if (reaction.then == Reaction::Then::reset) relay_.locked([&] { socket_.reset(); });
        return reaction.then == Reaction::Then::go_on;
    }

    Reaction decide(Stage stage, std::string_view line) {
        Reaction reaction = relay_.reaction_to({stage, line, number_, transaction_});
        if (reaction.stalls) relay_.wait_for_resume();
        return reaction;
    }

    void begin_transaction() {
        transaction_ = {};
        transaction_.connection = number_;
        transaction_.begun = std::chrono::steady_clock::now();
    }

    std::string capabilities() {
        return relay_.locked([&] {
            std::string text = "250-relay.test\r\n";
            for (const std::string& capability : relay_.capabilities) text += "250-" + capability + "\r\n";
            if (relay_.identity && !is_encrypted_) text += "250-STARTTLS\r\n";
            if (relay_.login && (is_encrypted_ || !relay_.identity)) text += "250-AUTH PLAIN LOGIN\r\n";
            text[text.rfind("250-") + 3] = ' ';
            return text;
        });
    }

    State& relay_;
    Socket& socket_;
    std::size_t number_;
    Transaction transaction_;
    std::string said_;
    bool is_encrypted_ = false;
    bool is_logged_in_ = false;
    bool name_was_right_ = false;
    int awaiting_login_line_ = 0;
};

FakeUpstream::FakeUpstream(const std::string& address, std::uint16_t port)
    : state_(std::make_shared<State>(address, port)) {
    listen_again();
}

FakeUpstream::~FakeUpstream() {
    stop_listening();
    state_->locked([&] { state_->stopping = true; });
    close_all();
    for (std::thread& thread : threads_) thread.join();
}

std::uint16_t FakeUpstream::port() const {
    return state_->port.number();
}

std::string FakeUpstream::address() const {
    return '[' + state_->port.address() + "]:" + std::to_string(port());
}

void FakeUpstream::on(Stage stage, Reaction reaction) {
    add_rule([=](const Step& step) { return step.stage == stage ? std::optional(reaction) : std::nullopt; });
}

void FakeUpstream::once(Stage stage, Reaction reaction) {
    add_rule([=, done = false](const Step& step) mutable {
        if (done || step.stage != stage) return std::optional<Reaction>();
        done = true;
        return std::optional(reaction);
    });
}

void FakeUpstream::add_rule(Rule rule) {
    state_->locked([&] { state_->rules.push_front(std::move(rule)); });
}

void FakeUpstream::forget_rules() {
    state_->locked([&] { state_->rules.clear(); });
}

void FakeUpstream::announce(std::vector<std::string> capabilities) {
    state_->locked([&] { state_->capabilities = std::move(capabilities); });
}

void FakeUpstream::use_tls(const Identity& identity, const TlsManners& manners) {
    state_->locked([&] {
        state_->identity = identity;
        state_->manners = manners;
    });
}

void FakeUpstream::require_login(const std::string& username, const std::string& password) {
    state_->locked([&] { state_->login.emplace(username, password); });
}

void FakeUpstream::wait_for_stalled(std::size_t count) {
    state_->wait_until(std::to_string(count) + " stalled connections", [&] { return state_->stalled >= count; });
}

void FakeUpstream::resume() {
    state_->locked([&] { ++state_->resumes; });
}

void FakeUpstream::stop_listening() {
    if (!acceptor_.joinable()) return;
    listener_.shut_down();
    acceptor_.join();
    listener_.close();
}

void FakeUpstream::listen_again() {
    listener_ = state_->port.listen();
    acceptor_ = std::thread([this] { accept_connections(); });
}

void FakeUpstream::accept_connections() {
    while (auto socket = listener_.accept()) {
        // Joined at the end: a thread that outlived the test would look like a leak.
        threads_.emplace_back(serve, state_, std::move(*socket));
    }
}

void FakeUpstream::serve(std::shared_ptr<State> relay, Socket socket) {
    const std::size_t number = relay->locked([&] {
        relay->open.push_back(&socket);
        return ++relay->connections;
    });
    try {
        Dialogue(*relay, socket, number).run();
    } catch (const std::runtime_error&) {
        // The client went away, or was silent for too long: over is over.
    }
    relay->locked([&] {
        socket.close();
        relay->open.remove(&socket);
    });
}

void FakeUpstream::close_all() {
    state_->locked([&] {
        for (const Socket* socket : state_->open) socket->shut_down();
    });
}

void FakeUpstream::reset_all() {
    state_->locked([&] {
        for (Socket* socket : state_->open) socket->reset_when_closed();
        for (Socket* socket : state_->open) socket->shut_down();
    });
}

void FakeUpstream::say_to_all(std::string_view bytes) {
    state_->locked([&] {
        for (Socket* socket : state_->open) {
            try {
                socket->write(bytes);
            } catch (const Socket::ConnectionLost&) {
                // It has been left already, and its thread is about to notice.
            }
        }
    });
}

void FakeUpstream::forget_bodies() {
    state_->locked([&] { state_->keeps_bodies = false; });
}

std::vector<Transaction> FakeUpstream::transactions() const {
    return state_->locked([&] { return state_->transactions; });
}

std::vector<Transaction> FakeUpstream::accepted() const {
    std::vector<Transaction> all = transactions();
    std::erase_if(all, [](const Transaction& transaction) { return !transaction.accepted(); });
    return all;
}

std::vector<std::string> FakeUpstream::commands() const {
    return state_->locked([&] { return state_->commands; });
}

std::vector<std::string> FakeUpstream::clear_text() const {
    return state_->locked([&] { return state_->clear_text; });
}

std::size_t FakeUpstream::logins() const {
    return state_->locked([&] { return state_->logins; });
}

std::size_t FakeUpstream::connections() const {
    return state_->locked([&] { return state_->connections; });
}

std::size_t FakeUpstream::open_connections() const {
    return state_->locked([&] { return state_->open.size(); });
}

std::size_t FakeUpstream::data_without_recipient() const {
    return state_->locked([&] { return state_->data_without_recipient; });
}

std::vector<Transaction> FakeUpstream::wait_for_transactions(std::size_t count) const {
    state_->wait_until(std::to_string(count) + " transactions", [&] { return state_->transactions.size() >= count; });
    return transactions();
}

std::vector<Transaction> FakeUpstream::wait_for_accepted(std::size_t count) const {
    state_->wait_until(std::to_string(count) + " accepted messages", [&] {
        return std::ranges::count_if(state_->transactions, &Transaction::accepted) >=
               static_cast<std::ptrdiff_t>(count);
    });
    return accepted();
}

void FakeUpstream::wait_for_command(std::string_view beginning) const {
    state_->wait_until("a command \"" + std::string(beginning) + '"', [&] {
        return std::ranges::any_of(state_->commands, [&](const auto& line) { return line.starts_with(beginning); });
    });
}

void FakeUpstream::wait_for_open_connections(std::size_t count) const {
    state_->wait_until(std::to_string(count) + " open connections", [&] { return state_->open.size() == count; });
}

}  // namespace weir::test
