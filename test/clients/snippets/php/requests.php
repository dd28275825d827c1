<?php
// As php-fpm serves requests: each has a connection of its own.
require __DIR__ . '/report.php';
require getenv('SNIPPETS') . '/orders.php';

run(fn () => orders()->query('select current_user from orders')->fetchColumn());
