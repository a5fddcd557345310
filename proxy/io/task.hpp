// Task: the coroutine type of the request path. Lazy: it starts when it is awaited, and hands
// control back to its awaiter without growing the stack. A whole request is a handful of these; the
// type knows no executor and no cancellation (sockets are cancelled, not tasks), which is what
// makes it cheaper than asio::awaitable, where each operation costs a further frame.
//
// Not thread-safe: a chain of tasks lives on one event loop.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace onceproxy::io {

template <typename T>
class [[nodiscard]] Task;

namespace detail {

/// Resumes the awaiter of the finished task.
struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
    return self.promise().continuation;
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::exception_ptr error;

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { error = std::current_exception(); }
};

template <typename T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object() noexcept;
  template <typename U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (error) std::rethrow_exception(error);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const {
    if (error) std::rethrow_exception(error);
  }
};

}  // namespace detail

template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) noexcept {
    handle_.promise().continuation = awaiter;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

namespace detail {

template <typename T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

/// A coroutine that starts at once and frees itself: the root of a chain of tasks.
struct Root {
  struct promise_type {
    Root get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    // A root's task catches what it can name; anything else is a defect that must not be hidden.
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
};

inline Root run(Task<void> task) {
  co_await task;
}

}  // namespace detail

/// Starts `task` now, on this thread, without an awaiter. It must not throw.
inline void start(Task<void> task) {
  detail::run(std::move(task));
}

}  // namespace onceproxy::io
