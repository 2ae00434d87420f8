package sinktest

var sizeCases []testCase
