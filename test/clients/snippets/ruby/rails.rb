# What Rails does with database.yml, and around each request.
require "active_record"
require "erb"
require "yaml"
require_relative "report"

text = ERB.new(File.read(File.join(ENV.fetch("SNIPPETS"), "database.yml"))).result
ActiveRecord::Base.establish_connection(YAML.safe_load(text).fetch("production"))

module Rails
  def self.request(&block)
    ActiveRecord::Base.connection_pool.with_connection(&block)
  end

  def self.user
    request { |connection| connection.select_value("select current_user from orders") }
  end
end

Report.run { Rails.user } if $PROGRAM_NAME == __FILE__
