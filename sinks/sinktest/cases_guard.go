package sinktest

var guardCases []testCase
