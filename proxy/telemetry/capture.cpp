#include "proxy/telemetry/capture.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <system_error>
#include <thread>

#include "proxy/telemetry/capture_line.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::telemetry {
namespace {

constexpr std::size_t queue_bytes_max = std::size_t{16} * 1024 * 1024;

int open_file(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                S_IRUSR | S_IWUSR);
}

}  // namespace

/// One file and the thread that writes it.
class Capture::Writer {
 public:
  Writer(CaptureOptions options, int descriptor, const Hooks& hooks)
      : options_(std::move(options)), hooks_(hooks), descriptor_(descriptor) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_setname_np(thread_.native_handle(), "capture");
  }

  ~Writer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  const CaptureOptions& options() const { return options_; }

  void hand_over(std::string line) {
    {
      const std::lock_guard lock(mutex_);
      if (queued_bytes_ + line.size() > queue_bytes_max) {
        hooks_.lost(CaptureLoss::queue, 1);
        return;
      }
      queued_bytes_ += line.size();
      queue_.push_back(std::move(line));
    }
    changed_.notify_one();
  }

 private:
  void run() {
    while (true) {
      std::string line;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        line = std::move(queue_.front());
        queue_.pop_front();
        queued_bytes_ -= line.size();
      }
      write(line);
    }
  }

  void write(const std::string& line) {
    follow_the_path();
    struct stat status {};
    if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) return lose(CaptureLoss::write);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size + line.size() > options_.bytes_max) return lose(CaptureLoss::full);
    std::size_t done = 0;
    while (done < line.size()) {
      const ssize_t written = ::write(descriptor_, line.data() + done, line.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        // Half a line would spoil the next one too.
        (void)::ftruncate(descriptor_, status.st_size);
        return lose(CaptureLoss::write);
      }
      done += static_cast<std::size_t>(written);
    }
    told_ = {};
    hooks_.written(1);
  }

  /// A file that was moved away is followed by a new one under its name.
  void follow_the_path() {
    struct stat open {};
    struct stat named {};
    const bool same = descriptor_ >= 0 && ::fstat(descriptor_, &open) == 0 &&
                      ::stat(options_.path.c_str(), &named) == 0 && open.st_ino == named.st_ino &&
                      open.st_dev == named.st_dev;
    if (same) return;
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = open_file(options_.path);
    error_ = descriptor_ < 0 ? errno : 0;
  }

  /// Said once, until lines are written again.
  void lose(CaptureLoss why) {
    hooks_.lost(why, 1);
    if (told_ == why) return;
    told_ = why;
    if (why == CaptureLoss::full) {
      log(LogLevel::warn, "the capture is full and ends here, until its file is moved away",
          {{"path", options_.path}});
    } else {
      const int error = error_ != 0 ? error_ : errno;
      log(LogLevel::error, "the capture cannot be written",
          {{"path", options_.path},
           {"error", std::error_code(error, std::generic_category()).message()}});
    }
  }

  const CaptureOptions options_;
  const Hooks& hooks_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  bool stopping_ = false;

  // The thread's own.
  int descriptor_;
  int error_ = 0;
  std::optional<CaptureLoss> told_;

  std::thread thread_;
};

Capture::Capture(Hooks hooks) : hooks_(std::move(hooks)) {}

Capture::~Capture() = default;

std::shared_ptr<Capture::Writer> Capture::writer() const {
  const std::lock_guard lock(mutex_);
  return writer_;
}

void Capture::configure(const std::optional<CaptureOptions>& options) {
  const std::shared_ptr<Writer> before = writer();
  if (before && options && before->options() == *options) return;
  std::shared_ptr<Writer> next;
  if (options) {
    const int descriptor = open_file(options->path);
    if (descriptor < 0) {
      throw std::system_error(errno, std::generic_category(),
                              "log.capture cannot write " + options->path);
    }
    next = std::make_shared<Writer>(*options, descriptor, hooks_);
    log(LogLevel::warn, "requests are captured, with their bodies", {{"path", options->path}});
  }
  {
    const std::lock_guard lock(mutex_);
    writer_ = next;
  }
  on_ = next != nullptr;
}

void Capture::write(const CapturedRequest& request) {
  const std::shared_ptr<Writer> writer = this->writer();
  if (!writer || !in_sample(request, writer->options().sample)) return;
  thread_local Timestamp timestamp;
  writer->hand_over(capture_line(request, writer->options(), hooks_.disguise, timestamp));
}

}  // namespace onceproxy::telemetry
