<?php
// A worker of a queue: one connection for as long as it runs.
use Illuminate\Database\Capsule\Manager;

require 'Illuminate/Database/autoload.php';
require __DIR__ . '/report.php';

function env(string $name): string
{
    return getenv($name);
}

$capsule = new Manager();
$capsule->addConnection((require getenv('SNIPPETS') . '/database.php')['connections']['pgsql']);
run(fn () => $capsule->getConnection()->selectOne('select current_user from orders')->current_user);
