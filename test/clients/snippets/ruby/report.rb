# What every client program does around its driver: keep time, count, and say what failed.
module Report
  WORKERS = Integer(ENV.fetch("WORKERS"))
  LOCK = Mutex.new
  USERS = {}
  @statements = 0
  $stdout.sync = true

  def self.pause
    shortest, longest = %w[MIN MAX].map { |name| Float(ENV.fetch("#{name}_PAUSE_SECONDS")) }
    rand(shortest..longest)
  end

  def self.did(user)
    LOCK.synchronize do
      puts "ready" if @statements.zero?
      @statements += 1
      USERS[user] = true
    end
  end

  # ActiveRecord wraps the driver's error.
  def self.failed(error)
    below = error.cause || error
    state = below.respond_to?(:result) ? below.result&.error_field(PG::PG_DIAG_SQLSTATE) : nil
    words = [error.class, below.class, state, below.message].join(" ").tr("\n", " ")
    LOCK.synchronize { puts "failed #{words}" }
  end

  # Repeat a block in threads until the end. It answers with the user, or raises.
  def self.run
    threads = Array.new(WORKERS) do
      Thread.new do
        until File.exist?(ENV.fetch("END_FILE"))
          begin
            did(yield)
          rescue StandardError => error
            failed(error)
          end
          sleep pause
        end
      end
    end
    threads.each(&:join)
    puts "done #{@statements} #{USERS.keys.join(',')}"
  end
end
