#include <sys/resource.h>
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <exception>
#include <filesystem>
#include <iostream>

#include "weir/core/time.hpp"
#include "weir/sim/script.hpp"
#include "weir/sim/server.hpp"

namespace {

/// Thousands of connections need thousands of descriptors; the soft limit is usually 1024.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void run(const weir::sim::Settings& settings) {
    const weir::core::SystemClock clock;
    boost::asio::io_context loop(1);
    const weir::sim::Server server(loop, settings, clock);
    boost::asio::signal_set signals(loop, SIGINT, SIGTERM);
    signals.async_wait([&loop](const auto&, int) { loop.stop(); });
    // Whoever starts us reads the port from the first line: it must not wait in a buffer.
    std::cout << "weir-sim: listening on " << server.smtp() << std::endl;
    if (const auto admin = server.admin()) std::cout << "weir-sim: admin on " << *admin << std::endl;
    loop.run();
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("weir-sim: a relay that behaves like an ISP, to try Weir without one");
    std::filesystem::path config;
    bool check = false;
    app.add_option("--config", config, "how the ISP behaves (YAML)")->required();
    app.add_flag("--check", check, "read the configuration, say what is wrong with it, and end");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? EX_OK : EX_USAGE;
    }
    try {
        const weir::sim::Settings settings = weir::sim::load_file(config);
        if (check) return EX_OK;
        raise_descriptor_limit();
        run(settings);
        return EX_OK;
    } catch (const weir::sim::ScriptError& error) {
        std::cerr << error.what() << '\n';
        return EX_CONFIG;
    } catch (const std::exception& error) {
        std::cerr << "weir-sim: " << error.what() << '\n';
        return EX_OSERR;
    }
}
