#include "support/live_bytes.hpp"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace {

thread_local std::ptrdiff_t live = 0;

void* try_allocate(std::size_t size) noexcept {
    void* const memory = std::malloc(size == 0 ? 1 : size);
    if (memory != nullptr) live += static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
    return memory;
}

void* allocate(std::size_t size) {
    void* const memory = try_allocate(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void release(void* memory) {
    if (memory != nullptr) live -= static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
    std::free(memory);
}

}  // namespace

namespace weir::test {

std::ptrdiff_t live_bytes() {
    return live;
}

}  // namespace weir::test

// Those with an alignment are left as they are: nothing here is over-aligned.
void* operator new(std::size_t size) {
    return allocate(size);
}
void* operator new[](std::size_t size) {
    return allocate(size);
}
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    return try_allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    return try_allocate(size);
}
void operator delete(void* memory) noexcept {
    release(memory);
}
void operator delete[](void* memory) noexcept {
    release(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
    release(memory);
}
void operator delete[](void* memory, std::size_t /*size*/) noexcept {
    release(memory);
}
