# The flags every target of the house is compiled with. Warnings are errors.
add_library(weir_flags INTERFACE)
target_compile_features(weir_flags INTERFACE cxx_std_20)
target_compile_options(weir_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  # g++ reports maybe-uninitialized inside coroutine frames and std::variant once it inlines, and takes Asio's own new and
  # delete of such frames for a pair that does not match; Debug keeps the warnings.
  target_compile_options(weir_flags INTERFACE -Wno-maybe-uninitialized -Wno-mismatched-new-delete)
endif()

# Asio, Beast and Boost.JSON compile once, in src/net/asio_impl.cpp.
add_library(weir_asio_flags INTERFACE)
target_compile_definitions(
  weir_asio_flags
  INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_VISIBILITY
            BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_HAS_CO_AWAIT BOOST_ASIO_HAS_STD_COROUTINE)
target_link_libraries(weir_asio_flags INTERFACE Boost::boost Threads::Threads)

# weir_room(<room> SOURCES a.cpp... HEADERS a.hpp... NEEDS weir::core... [USES <private libraries>...])
#
# One room of the house: library weir_<room>, alias weir::<room>, public headers in include/weir/<room>.
function(weir_room room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;NEEDS;USES")
  list(TRANSFORM arg_HEADERS PREPEND ${PROJECT_SOURCE_DIR}/include/weir/${room}/)
  add_library(weir_${room} STATIC ${arg_SOURCES})
  add_library(weir::${room} ALIAS weir_${room})
  target_sources(weir_${room} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${arg_HEADERS})
  target_link_libraries(weir_${room} PUBLIC Boost::boost ${arg_NEEDS} PRIVATE weir_flags ${arg_USES})
  target_include_directories(weir_${room} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
endfunction()
