<?php
// As php-fpm serves requests, with a second try.
require __DIR__ . '/report.php';
require getenv('SNIPPETS') . '/orders.php';
require getenv('SNIPPETS') . '/retry.php';

$work = fn () => orders()->query('select current_user from orders')->fetchColumn();
run(fn () => retried($work));
