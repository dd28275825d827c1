require_relative "rails"
require File.join(ENV.fetch("SNIPPETS"), "retry.rb")

Report.run { retried { Rails.user } }
