#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "check.hpp"
#include "classify.hpp"
#include "daemon.hpp"

int main(int argc, char** argv) {
    CLI::App app("Weir, the outbound smarthost rate governor: an SMTP proxy between Postfix and the ISP's relay",
                 "weir");
    app.set_version_flag("--version", "weir " WEIR_VERSION);
    app.require_subcommand(1);
    std::filesystem::path config;
    bool json = false;

    CLI::App* run = app.add_subcommand("run", "The daemon, in the foreground; SIGHUP reloads, SIGTERM drains");
    run->add_option("--config,-c", config, "Configuration file (YAML)")->required();

    CLI::App* check = app.add_subcommand("check", "Validates a configuration file; exit status 78 when it is wrong");
    check->add_option("--config,-c", config, "Configuration file (YAML)")->required();
    check->add_flag("--json", json, "Print the outcome as JSON");

    CLI::App* classify = app.add_subcommand("classify", "What relay replies on standard input are taken for");
    classify->add_option("--config,-c", config, "Configuration file (YAML) with feedback.classify");
    classify->add_flag("--json", json, "Print JSON Lines");

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? EX_OK : EX_USAGE;
    }
    if (*check) return weir::app::check(config, json);
    if (*classify) return weir::app::classify(config, json);
    return weir::app::run(config);
}
